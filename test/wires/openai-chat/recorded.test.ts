// Recorded traffic of nine hosts of this wire: requests and answers survive, streams agree with whole answers, the official SDK reads what we write.
import { describe, expect, test } from "vitest";
import { unfold, fold } from "../../../lib/wires/shared/fold.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import type { ChatResponse } from "../../../lib/model/event.ts";
import { asString, isObject, type Json, type JsonObject } from "../../../lib/model/json.ts";
import { openaiChat } from "../../../lib/wires/openai-chat/index.ts";
import type { Target } from "../../../lib/wires/wire.ts";
import { bodyOf, haveRecordings, recordings, type Recorded } from "../../recorded.ts";
import { bare, plainAnswer, plainRequest, unsealed } from "./plain.ts";
import { contextOf, decode, encode, readBySdk } from "./support.ts";

/** Exchanges that are failures under a 200, and what is wrong with them. */
const failures: Readonly<Record<string, string>> = {
  "735157d3e68d": "the host ends the stream with an error chunk: token limit reached (F27)",
};

const records = recordings("openai-chat");
const text = (record: Recorded): string => Buffer.from(bodyOf(record)).toString("utf8");
const isSse = (record: Recorded): boolean => /^\s*(?:data:|:)/.test(text(record));
const ok = records.filter((record) => record.status === 200);
const failed = ok.filter((record) => failures[record.id] !== undefined);
const streams = ok.filter((record) => isSse(record) && failures[record.id] === undefined);
const wholes = ok.filter((record) => !isSse(record) && isObject(JSON.parse(text(record) || "null") as Json));

const targetOf = (record: Recorded): Target => ({
  provider: record.provider,
  maker: record.provider,
  model: asString(record.req?.["model"]) ?? "m",
  dialect: {
    ...(record.provider === "xai" ? { reasoningOnTop: true } : {}),
    ...(record.provider === "openrouter" ? { reasoningEffort: "openrouter" as const } : {}),
    ...(record.provider === "deepseek" ? { replayReasoning: "reasoning_content" as const } : {}),
  },
});

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
    async (_id, _provider, record) => {
      const target = targetOf(record);
      const bytes = bodyOf(record);
      const events = decode(bytes, target);
      for (const size of [1, 7, 64]) expect(decode(bytes, target, size)).toEqual(events);
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
      const fields = ({ role, content, refusal, annotations }: JsonObject): Json | undefined =>
        bare({
          role: role ?? null,
          content: content ?? null,
          refusal: refusal ?? null,
          annotations: annotations ?? null,
        });
      expect(fields(message)).toEqual(fields(expected.message));
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

  test.each(failed.map((record) => [record.id, failures[record.id], record] as const))(
    "stream %s is a failure: %s",
    (_id, _reason, record) => {
      const events = decode(bodyOf(record), targetOf(record));
      expect(() => fold(events)).toThrow(GatewayError);
      expect(encode(events)).not.toContain("[DONE]");
    },
  );

  /** What the status or the text says for certain. */
  const certain = (record: Recorded): RegExp => {
    if (record.status === 401) return /^upstream_authentication$/;
    if (record.status === 429) return /^rate_limited$/;
    return /does not exist|not a valid model|Invalid model|supported API model/.test(text(record))
      ? /^model_not_found$/
      : /^(?:invalid_request|unsupported_field|not_found)$/;
  };

  const refused = records.filter((record) => record.status >= 400);
  test.each(refused.map((record) => [record.id, record.status, record] as const))(
    "error %s (%i) keeps its meaning in the client's envelope (F28)",
    (_id, status, record) => {
      const error = openaiChat.decodeError(status, {}, text(record), targetOf(record));
      expect(error.code).toMatch(certain(record));
      expect(openaiChat.encodeError(error, "req_1").body).toMatchObject({ error: { message: error.message } });
    },
  );
});
