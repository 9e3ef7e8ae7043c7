// Recorded traffic of nine hosts of this wire: requests and answers survive, streams agree with whole answers, the official SDK reads what we write.
import { describe, expect, test } from "vitest";
import { unfold, fold } from "../../../lib/wires/shared/fold.ts";
import { unseal } from "../../../lib/wires/shared/seal.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import type { ChatResponse } from "../../../lib/model/event.ts";
import { isObject, type Json, type JsonObject } from "../../../lib/model/json.ts";
import { openaiChat } from "../../../lib/wires/openai-chat/index.ts";
import type { Target } from "../../../lib/wires/wire.ts";
import { bodyOf, haveRecordings, recordings, type Recorded } from "../../recorded.ts";
import { contextOf, decode, encode, readBySdk } from "./support.ts";

const records = recordings("openai-chat");
const text = (record: Recorded): string => Buffer.from(bodyOf(record)).toString("utf8");
const isSse = (record: Recorded): boolean => /^\s*(?:data:|:)/.test(text(record));
const ok = records.filter((record) => record.status === 200);
const streams = ok.filter(isSse);
const wholes = ok.filter((record) => !isSse(record) && isObject(JSON.parse(text(record) || "null") as Json));

/** Exchanges that are failures under a 200, and what is wrong with them. */
const failures: Readonly<Record<string, string>> = {
  "735157d3e68d": "the host ends the stream with an error chunk: token limit reached (F27)",
};

const targetOf = (record: Recorded): Target => ({
  provider: record.provider,
  maker: record.provider,
  model: String(record.req?.["model"] ?? "m"),
  dialect: {
    ...(record.provider === "xai" ? { reasoningOnTop: true } : {}),
    ...(record.provider === "openrouter" ? { reasoningEffort: "openrouter" as const } : {}),
    ...(record.provider === "deepseek" ? { replayReasoning: "reasoning_content" as const } : {}),
  },
});

/** Without what says nothing: nulls, empty texts, empty arrays and objects. */
const bare = (value: Json | undefined): Json | undefined => {
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

const plainRequest = (body: JsonObject): Json | undefined => {
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

const unsealed = (value: Json | undefined): Json | undefined => {
  if (typeof value === "string") return unseal(value)?.data ?? value;
  if (Array.isArray(value)) return value.map((entry) => unsealed(entry) ?? null);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, unsealed(field)]));
};

/** What an answer means, whichever of a wire's spellings it uses. */
const plainAnswer = (answer: JsonObject): Json | undefined => {
  const { usage: _usage, id: _id, ...others } = answer;
  const choices = Array.isArray(answer["choices"]) ? answer["choices"] : [];
  return bare({
    ...others,
    choices: choices.map((choice) => {
      if (!isObject(choice)) return choice;
      // Azure leaves out the message that its filter took.
      if (!isObject(choice["message"])) return { ...choice, message: { role: "assistant" } };
      const {
        reasoning,
        reasoning_content: content,
        thought_signature: signature,
        extra_content: extra,
        ...message
      } = choice["message"];
      const called = Array.isArray(message["tool_calls"]) && message["tool_calls"].length > 0;
      const { finish_reason: finish, ...kept } = choice;
      const google = isObject(extra) && isObject(extra["google"]) ? extra["google"] : {};
      return {
        ...kept,
        // Any call means `tool_calls` (F3).
        finish_reason: called && finish === "stop" ? "tool_calls" : (finish ?? null),
        message: {
          ...message,
          ...(called
            ? {
                tool_calls: (message["tool_calls"] as JsonObject[]).map((call) => {
                  const { index: _index, extra_content: _extra, id: callId, ...plain } = call;
                  const fn = plain["function"] as JsonObject;
                  return {
                    type: "function",
                    ...plain,
                    // An id that the host left out is made up, and no arguments are `{}` (F2, F6).
                    id: typeof callId === "string" && /n\d+$/.test(callId) ? "" : (callId ?? ""),
                    function: { ...fn, arguments: fn["arguments"] || "{}" },
                  };
                }),
              }
            : {}),
          thoughts: reasoning ?? content ?? null,
          signature:
            signature ?? google["thought_signature"] ?? (called ? signatureOfCall(message["tool_calls"]) : null),
          reasoning_details: Array.isArray(message["reasoning_details"])
            ? message["reasoning_details"].map((detail, index) => ({ index, ...(detail as JsonObject) }))
            : null,
        },
      };
    }),
  });
};

const signatureOfCall = (calls: Json | undefined): Json => {
  const [call] = Array.isArray(calls) ? calls : [];
  const extra = isObject(call) ? call["extra_content"] : null;
  const google = isObject(extra) ? extra["google"] : null;
  return isObject(google) ? (google["thought_signature"] ?? null) : null;
};

const meaning = (response: ChatResponse): unknown => {
  const { extra: _extra, native: _native, usage, ...others } = response;
  const { extra: _raw, ...counts } = usage ?? { input: 0, output: 0 };
  // A count that was not told is told as 0.
  const told = { cachedInput: 0, reasoning: 0, ...counts };
  return unsealed(JSON.parse(JSON.stringify({ ...others, id: "", usage: told })) as Json);
};

describe.skipIf(!haveRecordings)("recorded chat completions", () => {
  test("there are records to test", () => expect(records.length).toBeGreaterThan(300));

  const asked = records.filter(
    (record) => record.req !== null && record.status === 200 && Array.isArray(record.req["messages"]),
  );
  test.each(asked.map((record) => [record.id, record.provider, record] as const))(
    "request %s (%s) is lossless on its own wire",
    (_id, _provider, record) => {
      const body = record.req ?? {};
      const target = targetOf(record);
      const encoded = openaiChat.encodeRequest(openaiChat.decodeRequest(body, {}), target);
      expect(encoded.dropped).toEqual([]);
      expect(plainRequest(encoded.body)).toEqual(plainRequest({ ...body, model: target.model }));
    },
  );

  test.each(wholes.map((record) => [record.id, record.provider, record] as const))(
    "answer %s (%s) is lossless, and the fold of its own events",
    (_id, _provider, record) => {
      const target = targetOf(record);
      const body = JSON.parse(text(record)) as JsonObject;
      const response = openaiChat.decodeResponse(body, target);
      const context = contextOf({
        ...(record.req === null ? {} : openaiChat.decodeRequest(record.req, {})),
        includeUsage: true,
      });
      const encoded = openaiChat.encodeResponse(response, context);
      expect(plainAnswer(unsealed(encoded) as JsonObject)).toEqual(plainAnswer(body));
      expect(meaning(fold(unfold(response)))).toEqual(meaning(response));
      const streamed = fold(decode(encode(unfold(response), context), target));
      expect(meaning(streamed)).toEqual(meaning(response));
    },
  );

  test.each(streams.map((record) => [record.id, record.provider, record] as const))(
    "stream %s (%s)",
    async (id, _provider, record) => {
      const target = targetOf(record);
      const bytes = bodyOf(record);
      const events = decode(bytes, target);
      for (const size of [1, 7, 64]) expect(decode(bytes, target, size)).toEqual(events);
      if (failures[id] !== undefined) {
        expect(() => fold(events)).toThrow(GatewayError);
        expect(encode(events)).not.toContain("[DONE]");
        return;
      }
      const response = fold(events);
      const encoded = encode(events);
      const again = fold(decode(encoded, target));
      expect(meaning(again)).toEqual(meaning(response));
      const whole = openaiChat.encodeResponse(response, contextOf());
      const read = JSON.parse(JSON.stringify(await readBySdk(encoded))) as JsonObject;
      const { message, finish_reason: finish } = (read["choices"] as JsonObject[])[0] as {
        message: JsonObject;
        finish_reason: Json;
      };
      const expected = (whole["choices"] as JsonObject[])[0] as { message: JsonObject; finish_reason: Json };
      expect(finish).toEqual(expected.finish_reason);
      for (const field of ["role", "content", "refusal", "annotations"] as const)
        expect(bare(message[field]), field).toEqual(bare(expected.message[field]));
      expect(
        ((message["tool_calls"] ?? []) as JsonObject[]).map(({ id: callId, function: fn }) => ({
          callId,
          fn: bare(fn),
        })),
      ).toEqual(
        ((expected.message["tool_calls"] ?? []) as JsonObject[]).map(({ id: callId, function: fn }) => ({
          callId,
          fn: bare(fn),
        })),
      );
      expect(read["usage"] ?? null).toEqual(whole["usage"] ?? null);
    },
  );

  const refused = records.filter((record) => record.status >= 400);
  test.each(refused.map((record) => [record.id, record.status, record] as const))(
    "error %s (%i) keeps its meaning in the client's envelope (F28)",
    (_id, status, record) => {
      const error = openaiChat.decodeError(status, {}, text(record), targetOf(record));
      expect(error).toBeInstanceOf(GatewayError);
      const { body } = openaiChat.encodeError(error, "req_1");
      expect(body).toMatchObject({ error: { message: error.message } });
      if (status === 401) expect(error.code).toBe("upstream_authentication");
      if (status === 429) expect(error.code).toBe("rate_limited");
      if (/does not exist|not a valid model|Invalid model|supported API model/.test(text(record)))
        expect(error.code).toBe("model_not_found");
    },
  );
});
