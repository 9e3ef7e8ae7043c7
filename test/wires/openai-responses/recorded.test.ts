// Real exchanges of OpenAI, Azure, xAI, Bedrock, DeepSeek and OpenRouter: nothing of them may be lost on the way through.
import { describe, expect, it } from "vitest";
import { fold, unfold } from "../../../lib/wires/shared/fold.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import type { ChatResponse } from "../../../lib/model/event.ts";
import { asObject, isObject, type Json, type JsonObject } from "../../../lib/model/json.ts";
import { bodyOf, fragments, haveRecordings, recordings, type Recorded } from "../../recorded.ts";
import { context, decodeAll, encodeAll, framesOf, meaning, plain, target, viaSdk, wire } from "./support.ts";

const records = recordings("openai-responses");
const isStream = (record: Recorded): boolean => record.ctype.includes("event-stream");
const answers = records.filter((record) => record.status === 200 && !isStream(record));
const streams = records.filter((record) => record.status === 200 && isStream(record));
const failures = records.filter((record) => record.status >= 400);
const requests = records.filter((record) => record.req !== null && record.req["model"] !== undefined && record.req["input"] !== undefined);

/** Streams that are not what they should be, and what they give. */
const malformed: Readonly<Record<string, string>> = {
  eb9b3ecd6b16: "two frames are not JSON",
  "62cbb25fcc07": "an error event, then response.failed",
};
/** Events that the SDK's own stream helper refuses, in the recording as well. */
const sound = streams.filter((record) => malformed[record.id] === undefined);

const json = (record: Recorded): JsonObject => JSON.parse(record.resp_text ?? "") as JsonObject;

const events = (record: Recorded): JsonObject[] =>
  (record.resp_text ?? "")
    .replaceAll("\r", "")
    .split("\n")
    .filter((line) => line.startsWith("data:") && !line.includes("[DONE]"))
    .map((line) => JSON.parse(line.slice(5)) as JsonObject);

const finalOf = (all: readonly JsonObject[]): JsonObject =>
  asObject(all.findLast((event) => isObject(event["response"]))?.["response"]) ?? {};

/** A Response as it is meant. */
const said = (response: JsonObject, loose = false): Json => {
  const value = asObject(plain(response)) ?? {};
  const output = Array.isArray(value["output"]) ? value["output"] : [];
  const whole = output.map((item): Json => {
    const fields: JsonObject = { ...asObject(item) };
    if (fields["type"] === "function_call" && fields["id"] === undefined) fields["id"] = "(given)";
    if (fields["type"] === "message" && loose) delete fields["id"];
    return fields;
  });
  delete value["object"];
  // An unknown spelling of "completed".
  if (value["status"] === "complete") delete value["status"];
  return { ...value, output: whole };
};

const withoutIds = (value: Json): Json =>
  JSON.parse(JSON.stringify(value).replaceAll(/"fc_0{20}\d+"/g, '"(given)"')) as Json;

const neutral = (response: ChatResponse): unknown => JSON.parse(JSON.stringify(response));

describe.skipIf(!haveRecordings)("recorded Responses traffic", () => {
  it("is at hand", () => {
    expect(records.length).toBeGreaterThan(250);
    expect(answers.length + streams.length + failures.length).toBe(records.length);
  });

  it.each(requests.map((record) => [record.id, record] as const))("request %s survives decode and encode", (_id, record) => {
    const body = record.req!;
    const decoded = wire.decodeRequest(body, {});
    const { body: again, dropped } = wire.encodeRequest(decoded, target({ model: String(body["model"]), maker: "openai" }));
    expect(dropped).toEqual([]);
    expect(meaning(again)).toEqual(meaning(body));
  });

  it.each(answers.map((record) => [record.id, record] as const))("answer %s survives decode and encode", (_id, record) => {
    const body = json(record);
    const encoded = wire.encodeResponse(wire.decodeResponse(body, target()), context());
    const expected = said(body) as JsonObject;
    const actual = withoutIds(said(encoded)) as JsonObject;
    // Fields of the caller's own request that the recording lacks are added, none is changed.
    for (const key of Object.keys(actual)) if (!(key in expected)) delete actual[key];
    expect(actual).toEqual(expected);
  });

  it.each(answers.map((record) => [record.id, record] as const))("answer %s is the fold of its events", (_id, record) => {
    const decoded = wire.decodeResponse(json(record), target());
    expect(neutral(fold(unfold(decoded)))).toEqual(neutral(decoded));
  });

  it.each(answers.map((record) => [record.id, record] as const))("answer %s as a stream gives the same answer", (_id, record) => {
    const decoded = wire.decodeResponse(json(record), target());
    const frames = framesOf(encodeAll(unfold(decoded)));
    expect(frames.map((frame) => frame["sequence_number"])).toEqual(frames.map((_frame, at) => at));
    expect(finalOf(frames)).toEqual(wire.encodeResponse(decoded, context()));
  });

  it.each(sound.map((record) => [record.id, record] as const))("stream %s folds to its own last Response", (_id, record) => {
    const folded = fold(decodeAll(bodyOf(record)));
    const last = finalOf(events(record));
    expect(neutral(folded)).toEqual(neutral(wire.decodeResponse(last, target())));
  });

  it.each(sound.map((record) => [record.id, record] as const))("stream %s is the same in any fragments (F8)", (_id, record) => {
    const whole = decodeAll(bodyOf(record));
    for (const size of [1, 7, 64]) {
      const decoder = wire.decodeEvents(target());
      const pieces = fragments(bodyOf(record), size).flatMap((piece) => decoder.push(piece));
      expect([...pieces, ...decoder.end()]).toEqual(whole);
    }
  });

  it.each(sound.map((record) => [record.id, record] as const))("stream %s survives decode and encode", (_id, record) => {
    const frames = framesOf(encodeAll(decodeAll(bodyOf(record))));
    expect(frames.map((frame) => frame["sequence_number"])).toEqual(frames.map((_frame, at) => at));
    const before = events(record);
    const actual = said(finalOf(frames)) as JsonObject;
    const expected = said(finalOf(before)) as JsonObject;
    for (const key of Object.keys(actual)) if (!(key in expected)) delete actual[key];
    expect(actual).toEqual(expected);
    const count = (all: readonly JsonObject[], type: string): number => all.filter((event) => event["type"] === type).length;
    for (const type of new Set(before.map((event) => String(event["type"])))) {
      if (type.includes("delta") || type.includes("content_part") || type.includes("reasoning_part")) continue;
      expect([type, count(frames, type)]).toEqual([type, count(before, type)]);
    }
  });

  it.each(sound.map((record) => [record.id, record] as const))("stream %s runs through the official stream helper", async (_id, record) => {
    const original = await viaSdk(bodyOf(record)).catch((thrown: unknown) => String(thrown));
    const again = viaSdk(encodeAll(decodeAll(bodyOf(record))));
    if (typeof original === "string") {
      // Events that the helper does not know; they pass here as they came.
      if (/Unhandled response stream event/.test(original) && (record.resp_text ?? "").includes("apply_patch")) {
        await expect(again).rejects.toThrow(/Unhandled/);
        return;
      }
      await expect(again, original).resolves.toBeDefined();
      return;
    }
    const actual = said(await again) as JsonObject;
    const expected = said(original) as JsonObject;
    for (const key of Object.keys(actual)) if (!(key in expected)) delete actual[key];
    expect(actual).toEqual(expected);
  });

  it.each(Object.entries(malformed))("stream %s gives the wire's error: %s", (id, _reason) => {
    const record = streams.find((one) => one.id === id)!;
    const decoded = decodeAll(bodyOf(record));
    expect(decoded.at(-1)).toMatchObject({ type: "error" });
    expect(() => fold(decoded)).toThrow(GatewayError);
    expect(framesOf(encodeAll(decoded)).some((frame) => frame["type"] === "error")).toBe(true);
  });

  it.each(failures.map((record) => [record.id, record] as const))("failure %s is an error with its own words", (_id, record) => {
    const error = wire.decodeError(record.status, {}, record.resp_text ?? "", target());
    expect(error).toBeInstanceOf(GatewayError);
    const encoded = wire.encodeError(error, "req_1");
    expect(encoded.status).toBeGreaterThanOrEqual(400);
    expect(asObject((encoded.body as JsonObject)["error"])?.["message"]).toBeTypeOf("string");
  });
});
