// What requests and answers of this wire mean, whichever of its spellings they use: for the comparison of what went in with what came out.
import { isObject, type Json, type JsonObject } from "../../../lib/model/json.ts";
import { unseal } from "../../../lib/wires/shared/seal.ts";

/** Without what says nothing: nulls, empty texts, empty arrays and objects. */
export const bare = (value: Json | undefined): Json | undefined => {
  if (Array.isArray(value)) return value.map((entry) => bare(entry) ?? null);
  if (!isObject(value)) return value === null || value === "" ? undefined : value;
  const kept: JsonObject = {};
  for (const name in value) {
    const field = bare(value[name]);
    if (
      field !== undefined &&
      !(isObject(field) && Object.keys(field).length === 0) &&
      !(Array.isArray(field) && field.length === 0)
    )
      kept[name] = field;
  }
  return kept;
};

/** One text part and a bare string are the same. */
const plainContent = (content: Json | undefined): Json | undefined => {
  if (!Array.isArray(content)) return content;
  const parts: Json[] = content.map((part) =>
    isObject(part) && typeof part["image_url"] === "string" ? { ...part, image_url: { url: part["image_url"] } } : part,
  );
  const [only] = parts;
  return parts.length === 1 && isObject(only) && only["type"] === "text" && Object.keys(only).length === 2
    ? (only["text"] ?? "")
    : parts;
};

const plainMessage = (message: Json): Json => {
  if (!isObject(message)) return message;
  const { reasoning_content: content, reasoning, ...others } = message;
  void content;
  void reasoning;
  return {
    ...others,
    content: plainContent(message["content"]) ?? null,
    ...(Array.isArray(message["tool_calls"])
      ? {
          tool_calls: message["tool_calls"].map((call) => {
            const { index: _index, ...kept } = call as JsonObject;
            return { type: "function", ...kept };
          }),
        }
      : {}),
  };
};

export const plainRequest = (body: JsonObject): Json | undefined => {
  const { max_tokens: old, stream_options: options, stop, ...others } = body;
  const { include_usage: _usage, ...kept } = isObject(options) ? options : {};
  return bare({
    ...others,
    max_completion_tokens: others["max_completion_tokens"] ?? old ?? null,
    stop: typeof stop === "string" ? [stop] : (stop ?? null),
    // Mistral takes both words.
    tool_choice: others["tool_choice"] === "any" ? "required" : (others["tool_choice"] ?? null),
    stream: others["stream"] === true ? true : null,
    stream_options: kept,
    response_format:
      isObject(others["response_format"]) && others["response_format"]["type"] === "text"
        ? null
        : (others["response_format"] ?? null),
    messages: Array.isArray(body["messages"]) ? body["messages"].map(plainMessage) : null,
  });
};

export const unsealed = (value: Json | undefined): Json | undefined => {
  if (typeof value === "string") return unseal(value)?.data ?? value;
  if (Array.isArray(value)) return value.map((entry) => unsealed(entry) ?? null);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, unsealed(field)]));
};

const plainCall = (entry: Json): Json => {
  const { index: _index, extra_content: _extra, id, ...plain } = entry as JsonObject;
  const fn = plain["function"] as JsonObject;
  return {
    type: "function",
    ...plain,
    // An id that the host left out is made up, and no arguments are `{}` (F2, F6).
    id: typeof id === "string" && /n\d+$/.test(id) ? "" : (id ?? ""),
    function: { ...fn, arguments: fn["arguments"] || "{}" },
  };
};

const plainChoice = (choice: Json): Json => {
  if (!isObject(choice)) return choice;
  // Azure leaves out the message that its filter took.
  if (!isObject(choice["message"])) return { ...choice, message: { role: "assistant" } };
  const {
    reasoning,
    reasoning_content: content,
    reasoning_details: details,
    thought_signature: signature,
    extra_content: extra,
    tool_calls: calls,
    ...message
  } = choice["message"];
  const { finish_reason: finish, ...kept } = choice;
  const called = Array.isArray(calls) && calls.length > 0;
  const google = isObject(extra) && isObject(extra["google"]) ? extra["google"] : {};
  return {
    ...kept,
    // Any call means `tool_calls` (F3).
    finish_reason: called && finish === "stop" ? "tool_calls" : (finish ?? null),
    message: {
      ...message,
      tool_calls: called ? calls.map(plainCall) : null,
      thoughts: reasoning ?? content ?? null,
      signature: signature ?? google["thought_signature"] ?? signatureOfCall(calls),
      reasoning_details: Array.isArray(details)
        ? details.map((detail, index) => Object.assign({ index }, detail as JsonObject))
        : null,
    },
  };
};

/** What an answer means, whichever of a wire's spellings it uses. */
export const plainAnswer = (answer: JsonObject): Json | undefined => {
  const { usage: _usage, id: _id, choices, ...others } = answer;
  return bare({ ...others, choices: Array.isArray(choices) ? choices.map(plainChoice) : null });
};

const signatureOfCall = (calls: Json | undefined): Json => {
  const [call] = Array.isArray(calls) ? calls : [];
  const extra = isObject(call) ? call["extra_content"] : null;
  const google = isObject(extra) ? extra["google"] : null;
  return isObject(google) ? (google["thought_signature"] ?? null) : null;
};
