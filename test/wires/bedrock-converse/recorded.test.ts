// Converse on recorded traffic: answers and streams decode, requests survive a round trip, fragments change nothing.
import { describe, expect, it } from "vitest";
import { encodeEventStreamFrame } from "../../../lib/http/eventstream.ts";
import type { ChatResponse, StreamEvent } from "../../../lib/model/event.ts";
import { asObject, isObject, parseJson, type JsonObject } from "../../../lib/model/json.ts";
import type { Usage } from "../../../lib/model/usage.ts";
import { bedrockConverse, makerOf } from "../../../lib/wires/bedrock-converse/index.ts";
import { fold } from "../../../lib/wires/shared/fold.ts";
import type { Target } from "../../../lib/wires/wire.ts";
import { bodyOf, fragments, haveRecordings, recordings, type Recorded } from "../../recorded.ts";

const modelOf = (record: Recorded): string =>
  decodeURIComponent(/\/model\/([^/]+)\//.exec(record.urlpath)?.[1] ?? "us.anthropic.claude-sonnet-4-5-20250929-v1:0");

const targetOf = (record: Recorded): Target => ({
  provider: "bedrock",
  maker: makerOf(modelOf(record)),
  model: modelOf(record),
  dialect: {},
});

const reply = { request: undefined as never, now: 0, newId: () => "id" };

/** Saved as one event a line, without AWS's framing: the frames are made again here. */
const bytesOf = (record: Recorded): Uint8Array => {
  const body = bodyOf(record);
  if (record.ctype !== "text/event-stream") return body;
  const frames = Buffer.from(body)
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const value = JSON.parse(line) as JsonObject;
      const [name, payload] = Object.entries(value)[0]!;
      return encodeEventStreamFrame({ ":message-type": "event", ":event-type": name }, JSON.stringify(payload));
    });
  return new Uint8Array(Buffer.concat(frames));
};

const decodeAll = (record: Recorded, body: Uint8Array, size = body.length): StreamEvent[] => {
  const decoder = bedrockConverse.decodeEvents(targetOf(record));
  return [...fragments(body, size).flatMap((piece) => decoder.push(piece)), ...decoder.end()];
};

const usageAddsUp = (usage: Usage, native: JsonObject): void => {
  const number = (name: string): number => (typeof native[name] === "number" ? native[name] : 0);
  const cached = number("cacheReadInputTokens") + number("cacheWriteInputTokens");
  expect(usage.input).toBe(number("inputTokens") + cached);
  expect(usage.output).toBe(number("outputTokens"));
  if (native["totalTokens"] !== undefined) expect(usage.input + usage.output).toBe(native["totalTokens"]);
  expect((usage.cachedInput ?? 0) + (usage.cacheWrite ?? 0)).toBe(cached);
};

/** What an answer says: no part may be of a kind that the table of parts would not let through. */
const sane = (response: ChatResponse): void => {
  expect(response.reason).not.toBe("other");
  const called = response.parts.some((part) => part.type === "tool-call");
  if (response.reason === "tool-calls") expect(called).toBe(true);
  for (const part of response.parts) {
    if (part.type === "tool-call") {
      expect(part.callId).not.toBe("");
      expect(part.name).not.toBe("");
      expect(isObject(parseJson(part.arguments))).toBe(true);
    }
    if (part.type === "text" && part.citations === undefined) expect(part.text).not.toBe("");
  }
};

/** Messages that mean more than the status they came with. */
const meanings: [RegExp, string][] = [
  [/model identifier is invalid|end of its life/, "model_not_found"],
  [/security token/, "upstream_authentication"],
];

const records = recordings("bedrock-converse");
const named = (list: Recorded[]): [string, Recorded][] => list.map((record) => [`${record.id} ${record.repo}`, record]);

describe.skipIf(!haveRecordings)("bedrock-converse, recorded", () => {
  it("has its exchanges at hand", () => expect(records.length).toBe(145));

  const answers = records.filter((record) => record.status === 200 && !record.stream);
  describe("whole answers", () => {
    it.each(named(answers))("%s decodes, and encodes to the same JSON", (_, record) => {
      const body = parseJson(record.resp_text ?? "") ?? null;
      const response = bedrockConverse.decodeResponse(body, targetOf(record));
      sane(response);
      const native = asObject(asObject(body)?.["usage"]);
      if (native !== undefined) usageAddsUp(response.usage!, native);
      const again = bedrockConverse.encodeResponse(response, reply);
      expect(normalAnswer(again)).toEqual(normalAnswer(body as JsonObject));
    });
  });

  const streams = records.filter((record) => record.status === 200 && record.stream);
  describe("streams", () => {
    it.each(named(streams))("%s folds to a sane answer", (_, record) => {
      const response = fold(decodeAll(record, bytesOf(record)));
      sane(response);
      expect(response.parts.length).toBeGreaterThan(0);
      expect(response.usage?.output ?? 1).toBeGreaterThan(0);
    });

    it.each(named(streams))("%s gives the same events in fragments of 1, 7 and 64 bytes (F8)", (_, record) => {
      const body = bytesOf(record);
      const events = decodeAll(record, body);
      for (const size of [1, 7, 64]) expect(decodeAll(record, body, size)).toEqual(events);
    });

    it.each(named(streams))("%s agrees with the same answer told whole", (_, record) => {
      const response = fold(decodeAll(record, bytesOf(record)));
      const whole = bedrockConverse.decodeResponse(bedrockConverse.encodeResponse(response, reply), targetOf(record));
      expect(told(whole)).toEqual(told(response));
    });

    it.each(named(streams))("%s cut short ends in an error (F26)", (_, record) => {
      const body = bytesOf(record);
      const half = body.subarray(0, Math.floor(body.length / 2));
      const events = decodeAll(record, half);
      expect(events.at(-1)?.type).toBe("error");
      expect(events.filter((event) => event.type === "error" || event.type === "response-end")).toHaveLength(1);
    });
  });

  const errors = records.filter((record) => record.status !== 200);
  it.each(named(errors))("%s is an error with its own message", (_, record) => {
    const error = bedrockConverse.decodeError(record.status, {}, record.resp_text ?? "", targetOf(record));
    expect(error.details.provider).toBe("bedrock");
    const text = record.resp_text ?? "";
    const known = meanings.find(([pattern]) => pattern.test(text))?.[1];
    expect(error.code).toBe(known ?? "invalid_request");
    expect(error.message === (JSON.parse(text) as JsonObject)["message"]).toBe(known !== "upstream_authentication");
  });

  const requests = records.filter((record) => record.req !== null);
  it.each(named(requests))("%s: its request survives a round trip", (_, record) => {
    const request = bedrockConverse.decodeRequest(record.req!, { model: modelOf(record), stream: record.stream });
    const { body, dropped } = bedrockConverse.encodeRequest(request, targetOf(record));
    expect(dropped).toEqual([]);
    const expected = normalRequest(record.req!);
    rewritten[record.id]?.(expected);
    expect(normalRequest(body)).toEqual(expected);
  });
});

/** What a stream and a whole answer must agree on; arguments in any spacing. */
const told = (response: ChatResponse) => ({
  parts: response.parts.map((part) =>
    part.type === "tool-call" ? { ...part, arguments: JSON.stringify(JSON.parse(part.arguments)) } : part,
  ),
  reason: response.reason,
  usage: response.usage,
  stopSequence: response.stopSequence,
});

/** Differences that mean nothing: empty texts, totals that are sums, lists of no citations. */
const normalAnswer = (answer: JsonObject): JsonObject => {
  const copy = structuredClone<JsonObject>(answer);
  const message = asObject(asObject(copy["output"])?.["message"]);
  if (Array.isArray(message?.["content"]))
    message["content"] = message["content"].filter((block) => !(isObject(block) && block["text"] === ""));
  const usage = asObject(copy["usage"]);
  if (usage !== undefined) {
    usage["inputTokens"] ??= 0;
    delete usage["totalTokens"];
  }
  return copy;
};

/** Requests that come back otherwise, and why. */
const rewritten: Record<string, (request: JsonObject) => void> = {
  // Whoever published it replaced an id in the document's name, by one with an underscore that AWS allows in no name.
  "54ec65d383be": (request) => {
    const [message] = request["messages"] as { content: { document?: JsonObject }[] }[];
    const document = message!.content.find((block) => block.document !== undefined)!.document!;
    expect(document["name"]).toBe("document-REDACTED_1");
    document["name"] = "document-REDACTED 1";
  },
};

/** Messages of one role in a row are one message; a schema is the same in any spacing; no stop sequences are none. */
const normalRequest = (request: JsonObject): JsonObject => {
  const copy = structuredClone<JsonObject>(request);
  const messages: JsonObject[] = [];
  for (const message of (copy["messages"] ?? []) as JsonObject[]) {
    const content = (message["content"] as JsonObject[]).filter((block) => block["text"] !== "");
    const last = messages.at(-1);
    if (last !== undefined && last["role"] === message["role"]) (last["content"] as JsonObject[]).push(...content);
    else messages.push({ ...message, content });
  }
  copy["messages"] = messages;
  const inference = asObject(copy["inferenceConfig"]);
  if (Array.isArray(inference?.["stopSequences"]) && inference["stopSequences"].length === 0)
    delete inference["stopSequences"];
  for (const key of ["system", "inferenceConfig", "modelId"])
    if (copy[key] !== undefined && (key === "modelId" || Object.keys(copy[key] as object).length === 0))
      delete copy[key];
  const definition = asObject(
    asObject(asObject(asObject(copy["outputConfig"])?.["textFormat"])?.["structure"])?.["jsonSchema"],
  );
  if (definition !== undefined) definition["schema"] = parseJson(definition["schema"] as string);
  return copy;
};
