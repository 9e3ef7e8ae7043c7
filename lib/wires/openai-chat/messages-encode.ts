// A history for a provider. Results of tools become messages of their own, right after their call; what they hold beside text follows in a
// user's message (F15).
import { asObject, asString, compact, type JsonObject } from "../../model/json.ts";
import type { Message, Part, TextPart, ToolResultPart } from "../../model/message.ts";
import type { Target } from "../wire.ts";
import { encodeCall, isLegacy } from "./calls.ts";
import { contentOf, dataUrl, encodePart, type Reader } from "./content.ts";
import { own } from "./names.ts";
import { extraContentFor, isReasoning, replayReasoning } from "./reasoning.ts";

type Writer = { target: Target; reader: Reader; drop: (path: string) => void };

const listed = (value: JsonObject | undefined): JsonObject[] => (value === undefined ? [] : [value]);

/** OpenAI's longest id of a call. */
const longestCallId = 64;

/** The same for the same id, so that calls and results still meet. */
const callId = (id: string): string => {
  if (id.length <= longestCallId) return id;
  let hash = 0xcbf29ce484222325n;
  for (let at = 0; at < id.length; at += 1)
    hash = ((hash ^ BigInt(id.charCodeAt(at))) * 0x100000001b3n) & 0xffffffffffffffffn;
  return `${id.slice(0, 40)}_${hash.toString(36)}`;
};

/** Opening instructions: a message each on this wire, one for all from another. */
export const encodeSystem = (system: readonly TextPart[], writer: Writer): JsonObject[] => {
  const messages: { head: JsonObject; parts: TextPart[] }[] = [];
  for (const part of system) {
    const start = asObject(own(part)?.["start"]);
    const last = messages.at(-1);
    if (start === undefined && last !== undefined) last.parts.push(part);
    else messages.push({ head: start ?? {}, parts: [part] });
  }
  return messages.map(({ head, parts }) => {
    const encoded = parts.flatMap((part) => listed(encodePart(part, writer.reader)));
    // Blocks of another wire are one text here: hosts differ in whether they take more.
    const plain = encoded.every((part) => Object.keys(part).length === 2);
    const foreign = Object.keys(head).length === 0;
    const content = foreign && plain ? parts.map((part) => part.text).join("\n\n") : contentOf(encoded);
    return Object.assign({}, head, { role: roleOf(asString(head["role"]), writer.target), content });
  });
};

/** Hosts know one of both names; where the dialect names none, a client's own word stands. */
const roleOf = (said: string | undefined, target: Target): string => target.dialect.systemRole ?? said ?? "system";

export const encodeMessages = (messages: readonly Message[], writer: Writer): JsonObject[] => {
  const out: JsonObject[] = [];
  /** What results held beside text, until all results of the turn are out. */
  let waiting: JsonObject[] = [];
  const flush = (): void => {
    if (waiting.length > 0) out.push({ role: "user", content: waiting });
    waiting = [];
  };
  messages.forEach((message, at) => {
    const path = `messages[${at}]`;
    if (message.role === "assistant") {
      flush();
      const encoded = encodeAssistant(message, path, writer);
      if (encoded !== undefined) out.push(encoded);
      return;
    }
    const results = message.parts.filter((part) => part.type === "tool-result");
    for (const result of results) out.push(encodeResult(result, waiting, `${path}.content`, writer));
    const others = message.parts.filter((part) => part.type !== "tool-result");
    if (results.length > 0 && others.length === 0) return;
    const said = encodeParts(message.parts, `${path}.content`, writer);
    if (message.role === "system") {
      flush();
      const { role, ...left } = own(message) ?? {};
      out.push(headed({ role: roleOf(asString(role), writer.target), content: contentOf(said) }, message, left));
      return;
    }
    const content = waiting.length === 0 ? contentOf(said) : [...waiting, ...said];
    waiting = [];
    // Nothing that this wire can say was in it.
    if (said.length === 0 && others.length > 0 && content.length === 0) return;
    out.push(headed({ role: "user", content }, message, own(message) ?? {}));
  });
  flush();
  return out;
};

const headed = (encoded: JsonObject, message: Message, left: JsonObject): JsonObject => ({
  ...encoded,
  ...(message.name === undefined ? {} : { name: message.name }),
  ...left,
});

const encodeParts = (parts: readonly Part[], path: string, writer: Writer): JsonObject[] =>
  parts.flatMap((part, at) => {
    if (part.type === "tool-result") return [];
    const encoded = encodePart(part, writer.reader);
    if (encoded === undefined) writer.drop(`${path}[${at}]`);
    return listed(encoded);
  });

/** A result has no error flag here: its text says it. */
const errorMark = "Error: ";
const saysError = /^\W*(?:error|exception|failed)/i;

const encodeResult = (part: ToolResultPart, waiting: JsonObject[], path: string, writer: Writer): JsonObject => {
  const encoded = encodeParts(part.parts, path, writer);
  const texts = encoded.filter((entry) => entry["type"] === "text");
  const others = encoded.filter((entry) => entry["type"] !== "text");
  const id = callId(part.callId);
  if (others.length > 0) {
    waiting.push({ type: "text", text: `Returned by tool call ${id}:` }, ...others);
    if (texts.length === 0) texts.push({ type: "text", text: "The result is in the next user message." });
  }
  const [first] = texts;
  if (part.isError === true && !saysError.test(asString(first?.["text"]) ?? "")) {
    if (first === undefined) texts.push({ type: "text", text: `${errorMark}the tool failed.` });
    else texts[0] = { ...first, text: `${errorMark}${asString(first["text"]) ?? ""}` };
  }
  const { legacy, named, ...left } = own(part) ?? {};
  const content = contentOf(texts);
  if (legacy === true) return { role: "function", name: part.name ?? "", content, ...left };
  const name: JsonObject = named === true && part.name !== undefined ? { name: part.name } : {};
  return { role: "tool", tool_call_id: id, content, ...name, ...left };
};

const encodeAssistant = (message: Message, path: string, writer: Writer): JsonObject | undefined => {
  const { target, reader } = writer;
  const texts: TextPart[] = [];
  const calls: JsonObject[] = [];
  const encoded: JsonObject = { role: "assistant", content: null };
  let images: JsonObject[] | undefined;
  let refusal: string | undefined;
  message.parts.forEach((part, at) => {
    switch (part.type) {
      case "reasoning":
        return;
      case "text":
        texts.push(part);
        return;
      case "refusal":
        refusal = (refusal ?? "") + part.text;
        return;
      case "tool-call":
        if (isLegacy(part)) encoded["function_call"] = { name: part.name, arguments: part.arguments };
        else calls.push(encodeCall(part, callId(part.callId), extraContentFor(part.opaque, target.maker)));
        return;
      case "image":
        if (part.source.kind === "base64" && reader.same)
          (images ??= []).push({ type: "image_url", image_url: { url: dataUrl(part.source) } });
        else writer.drop(`${path}.content[${at}]`);
        return;
      case "audio": {
        const id = part.source.kind === "id" && part.source.origin === target.maker ? part.source.id : part.id;
        if (id !== undefined && (reader.same || target.maker === "openai")) encoded["audio"] = { id };
        else if (part.transcript !== undefined) texts.push({ type: "text", text: part.transcript });
        else writer.drop(`${path}.content[${at}]`);
        return;
      }
      default: {
        const other = encodePart(part, reader);
        const text = asString(other?.["text"]);
        if (text !== undefined && text !== "") texts.push({ type: "text", text });
        else if (other !== undefined)
          texts.push({ type: "text", text: "", extra: { "openai-chat": { whole: other } } });
        else writer.drop(`${path}.content[${at}]`);
      }
    }
  });
  const replayed = replayReasoning(message.parts.filter(isReasoning), target);
  const content = assistantContent(texts, reader);
  if (content !== "") encoded["content"] = content;
  else if (
    calls.length === 0 &&
    refusal === undefined &&
    encoded["audio"] === undefined &&
    encoded["function_call"] === undefined
  ) {
    // Only thoughts of another maker were in it: nothing is left to be said.
    if (message.parts.length > 0 && Object.keys(replayed).length === 0 && images === undefined) return undefined;
    encoded["content"] = "";
  }
  if (refusal !== undefined) encoded["refusal"] = refusal;
  if (calls.length > 0) encoded["tool_calls"] = calls;
  const signature = texts.findLast((part) => part.opaque !== undefined)?.opaque;
  return headed(
    compact<JsonObject>({
      ...encoded,
      images,
      ...replayed,
      extra_content: extraContentFor(signature, target.maker),
    }),
    message,
    own(message) ?? {},
  );
};

/** One string: every host takes it. An array where a part has fields of its own. */
const assistantContent = (texts: readonly TextPart[], reader: Reader): string | JsonObject[] => {
  const encoded = texts.flatMap((part) =>
    listed(asObject(own(part)?.["whole"]) ?? (part.text === "" ? undefined : encodePart(part, reader))),
  );
  return encoded.every((entry) => entry["type"] === "text" && Object.keys(entry).length === 2)
    ? encoded.map((entry) => asString(entry["text"]) ?? "").join("")
    : encoded;
};
