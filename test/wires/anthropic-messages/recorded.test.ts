// The laws of the wire on real traffic: requests, answers, streams, errors, and the vendor's own SDK as the judge.
import Anthropic from "@anthropic-ai/sdk";
import { describe, expect, it } from "vitest";
import type { ChatResponse, StreamEvent } from "../../../lib/model/event.ts";
import { asArray, isObject, parseJson } from "../../../lib/model/json.ts";
import type { Json, JsonObject } from "../../../lib/model/json.ts";
import { anthropicMessages as wire } from "../../../lib/wires/anthropic-messages/index.ts";
import { fold, unfold } from "../../../lib/wires/shared/fold.ts";
import { bodyOf, fragments, haveRecordings, recordings } from "../../recorded.ts";
import type { Recorded } from "../../recorded.ts";
import { context, decode, encode, joined, meaning, target } from "./tools.ts";

const records = [...recordings("anthropic-messages"), ...recordings("bedrock-invoke")];
const textOf = (record: Recorded): string => new TextDecoder().decode(bodyOf(record));

/** Records that no Anthropic endpoint would take or send, and why. */
const malformed: Record<string, string> = {
  d07b51b1efb4: "messages are no objects: Anthropic answers 400 as well",
  c89a76bb4330: "message_start twice: the SDK throws",
  f2fb6ef2e8d7: "a second message_start in the middle of a tool call: the SDK throws",
};

const isMessage = (record: Recorded): boolean => record.status === 200 && textOf(record).startsWith("{");
const isNative = (record: Recorded): boolean =>
  isMessage(record) && (JSON.parse(textOf(record)) as JsonObject)["type"] === "message";
const isStream = (record: Recorded): boolean =>
  record.status === 200 && textOf(record).startsWith("event:") && !(record.id in malformed);
/** Anthropic-shaped requests: Bedrock's invoke carries other makers' as well. */
const isRequest = (record: Recorded): boolean =>
  record.req !== null &&
  Array.isArray(record.req["messages"]) &&
  (record.protocol === "anthropic-messages" || record.req["anthropic_version"] !== undefined);

const modelOf = (record: Recorded): string =>
  typeof record.req?.["model"] === "string"
    ? record.req["model"]
    : decodeURIComponent(record.urlpath.split("/")[2] ?? "");

/** Two spellings of the same content are one. */
const content = (value: Json | undefined): Json => {
  const blocks: Json[] = typeof value === "string" ? [{ type: "text", text: value }] : (asArray(value) ?? []);
  return blocks
    .filter((block) => !(isObject(block) && block["type"] === "text" && (block["text"] as string).trim() === ""))
    .map((block) =>
      isObject(block) && block["type"] === "tool_result"
        ? Object.assign({}, block, { content: content(block["content"]) })
        : block,
    );
};

/** A request's meaning: content as blocks, turns of one role as one. */
const normalRequest = (body: JsonObject): Json | undefined => {
  const messages: JsonObject[] = [];
  for (const message of asArray(body["messages"]) ?? []) {
    if (!isObject(message)) continue;
    const last = messages.at(-1);
    const blocks = content(message["content"]) as Json[];
    if (last !== undefined && last["role"] === message["role"]) (last["content"] as Json[]).push(...blocks);
    else messages.push({ ...message, content: blocks });
  }
  const stream = body["stream"] === true ? { stream: true } : {};
  const { stream: _stream, ...rest } = body;
  return meaning({ ...rest, ...stream, messages, system: content(body["system"]) });
};

/** The answer with calls' arguments as values: JSON has no one spelling. */
const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

const parsed = (response: ChatResponse): Json | undefined => {
  const parts = response.parts.map((part) =>
    part.type === "tool-call" ? Object.assign({}, part, { arguments: parseJson(part.arguments) ?? {} }) : part,
  );
  return meaning(plain({ ...response, parts }));
};

const said = (events: readonly StreamEvent[]): Json | undefined => meaning(plain(joined(events)));

describe.skipIf(!haveRecordings)("recorded Anthropic traffic", () => {
  it.each(records.filter((record) => isRequest(record)).map((record) => [record.id, record] as const))(
    "round-trips request %s",
    (id, record) => {
      if (id in malformed) return;
      const model = modelOf(record);
      const decoded = wire.decodeRequest(record.req!, { model });
      const bedrock = record.protocol === "bedrock-invoke";
      const encoded = wire.encodeRequest(decoded, target(model, { dialect: { bedrockAnthropic: bedrock } }));
      if (record.status !== 200) return;
      expect(encoded.dropped).toEqual([]);
      const expected = normalRequest(bedrock ? { ...record.req!, stream: undefined } : record.req!);
      expect(normalRequest(encoded.body)).toEqual(expected);
    },
  );

  it.each(records.filter(isNative).map((record) => [record.id, record] as const))(
    "round-trips answer %s, as a whole and as a stream",
    (_id, record) => {
      const body = JSON.parse(textOf(record)) as JsonObject;
      const decoded = wire.decodeResponse(body, target());
      expect(meaning(wire.encodeResponse(decoded, context()))).toEqual(meaning(body));
      expect(fold(unfold(decoded))).toEqual(decoded);
      const streamed = decode([new TextEncoder().encode(encode(unfold(decoded)))]);
      expect(parsed(fold(streamed))).toEqual(parsed(decoded));
    },
  );

  it.each(records.filter(isStream).map((record) => [record.id, record] as const))(
    "reads stream %s the same in any fragments (F8) and writes it back",
    (_id, record) => {
      const bytes = bodyOf(record);
      const events = decode([bytes]);
      for (const size of [1, 7, 64]) expect(decode(fragments(bytes, size))).toEqual(events);
      const again = decode([new TextEncoder().encode(encode(events))]);
      expect(said(again)).toEqual(said(events));
      const folded = fold(events);
      const whole = wire.encodeResponse(folded, context());
      expect(parsed(wire.decodeResponse(whole, target()))).toEqual(parsed(folded));
    },
  );

  /** The events inside Bedrock's frames, as server-sent events. */
  const fromBedrock = (record: Recorded): Uint8Array => {
    const raw = record.resp_text?.startsWith("base64:") === true ? record.resp_text.slice(7) : record.resp_b64;
    const binary = Buffer.from(raw ?? "", "base64").toString("latin1");
    const events = [...binary.matchAll(/"bytes":"([^"]+)"/g)].map((match) =>
      Buffer.from(match[1]!, "base64").toString("utf8"),
    );
    return new TextEncoder().encode(events.map((event) => `data: ${event}\n\n`).join(""));
  };

  it("reads the Anthropic streams that Bedrock carries", () => {
    const streams = recordings("bedrock-invoke")
      .filter((record) => record.status === 200 && record.stream && isRequest(record))
      .map(fromBedrock)
      .filter((body) => new TextDecoder().decode(body).includes("message_start"));
    expect(streams.length).toBeGreaterThan(1);
    for (const body of streams) {
      const events = decode([body]);
      const folded = fold(events);
      expect(folded.parts.length).toBeGreaterThan(0);
      expect(folded.usage?.output).toBeGreaterThan(0);
      expect(said(decode([new TextEncoder().encode(encode(events))]))).toEqual(said(events));
    }
  });

  /** What the vendor's own client makes of a stream. */
  const final = async (text: string): Promise<Anthropic.Message> => {
    const client = new Anthropic({
      apiKey: "none",
      maxRetries: 0,
      fetch: () =>
        Promise.resolve(new Response(text, { status: 200, headers: { "content-type": "text/event-stream" } })),
    });
    return client.messages
      .stream({ model: "claude-opus-5", max_tokens: 10, messages: [{ role: "user", content: "Hi" }] })
      .finalMessage();
  };

  it.each(records.filter(isStream).map((record) => [record.id, record] as const))(
    "gives the SDK the same final message for stream %s",
    async (_id, record) => {
      const text = textOf(record);
      const [ours, theirs] = await Promise.all([final(encode(decode([bodyOf(record)]))), final(text)]);
      expect(meaning(plain(ours))).toEqual(meaning(plain(theirs)));
    },
  );

  it.each(records.filter((record) => record.status !== 200).map((record) => [record.id, record] as const))(
    "reads error %s and tells it as it was",
    (_id, record) => {
      const error = wire.decodeError(record.status, {}, textOf(record), target());
      const body = JSON.parse(textOf(record)) as JsonObject;
      const told = wire.encodeError(error, "req_1");
      expect(told.body).toMatchObject({ type: "error", request_id: "req_1" });
      const ours = record.status === 401 || error.code === "upstream_authentication";
      const native = !ours && isObject(body["error"]);
      expect(error.code === "upstream_authentication").toBe(ours);
      expect(told.status).toBe(ours ? 502 : native ? record.status : error.status);
      expect(told.body).toMatchObject(native ? { error: body["error"]! } : {});
    },
  );

  it("decodes requests to count tokens, which name no limit", () => {
    for (const record of recordings("anthropic-count-tokens"))
      expect(wire.decodeRequest(record.req!, {}).maxOutputTokens).toBeUndefined();
  });
});
