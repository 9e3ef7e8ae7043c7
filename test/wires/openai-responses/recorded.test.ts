// Real exchanges of OpenAI, Azure, xAI, Bedrock, DeepSeek and OpenRouter: nothing of them may be lost on the way through.
import { describe, expect, it } from "vitest";
import { fold, unfold } from "../../../lib/wires/shared/fold.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import type { ChatResponse } from "../../../lib/model/event.ts";
import { asObject, asString, type Json, type JsonObject } from "../../../lib/model/json.ts";
import { bodyOf, fragments, haveRecordings, recordings, type Recorded } from "../../recorded.ts";
import { context, decodeAll, encodeAll, framesOf, meaning, plain, target, typeOf, viaSdk, wire } from "./support.ts";

const records = recordings("openai-responses");
const isStream = (record: Recorded): boolean => record.ctype.includes("event-stream");
const answers = records.filter((record) => record.status === 200 && !isStream(record));
const streams = records.filter((record) => record.status === 200 && isStream(record));
const failures = records.filter((record) => record.status >= 400);
const requests = records.filter(
  (record) => record.req !== null && record.req["model"] !== undefined && record.req["input"] !== undefined,
);

/** Streams that are not what they should be, and what they give. */
const malformed: Readonly<Record<string, string>> = {
  eb9b3ecd6b16: "two frames are not JSON",
  "62cbb25fcc07": "an error event, then response.failed",
};
/** Streams whose deltas say less than their `.done`: the deltas are what a client was told. */
const abridged: Readonly<Record<string, string>> = { "56e7033c4263": "most of the text's deltas are cut out" };
/** Streams that the SDK's own stream helper refuses as they are. */
const refused: Readonly<Record<string, string>> = {
  "98da3703be90": "Bedrock says reasoning_part for content_part",
  "717e1b8ef8fe": "two streams in one",
  "385b16a955f0": "two streams in one",
};
/** Streams with events that the helper does not know: they are carried, and refused again. */
const unknown: Readonly<Record<string, string>> = { cb5d3866f94a: "apply_patch_call_operation_diff" };
const readable = streams.filter((record) => malformed[record.id] === undefined);
const sound = readable.filter((record) => abridged[record.id] === undefined);

/** OpenAI encrypts reasoning anew for the last event: either text is good. */
const oneState = <T>(value: T): T =>
  JSON.parse(JSON.stringify(value).replaceAll(/("encrypted_content"|"data"):"[^"]+"/g, '$1:"(state)"')) as T;

const json = (record: Recorded): JsonObject => JSON.parse(record.resp_text ?? "") as JsonObject;

const events = (record: Recorded): JsonObject[] =>
  (record.resp_text ?? "")
    .replaceAll("\r", "")
    .split("\n")
    .filter((line) => line.startsWith("data:") && !line.includes("[DONE]"))
    .map((line) => JSON.parse(line.slice(5)) as JsonObject);

/** The first closing event counts: two of the recordings hold two streams, one after the other. */
const endOf = (all: readonly JsonObject[]): number =>
  all.findIndex((event) => /^response\.(?:completed|incomplete|failed)$/.test(typeOf(event)));
const finalOf = (all: readonly JsonObject[]): JsonObject => asObject(all[endOf(all)]?.["response"]) ?? {};

/** A Response as it is meant. */
const said = (response: JsonObject): Json => {
  const value = asObject(plain(response)) ?? {};
  const output = Array.isArray(value["output"]) ? value["output"] : [];
  const whole = output.map((item): Json => {
    const fields = asObject(item);
    if (fields?.["type"] === "function_call") fields["id"] ??= "(given)";
    return item;
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

  it.each(requests.map((record) => [record.id, record] as const))(
    "request %s survives decode and encode",
    (_id, record) => {
      const body = record.req!;
      const decoded = wire.decodeRequest(body, {});
      const { body: again, dropped } = wire.encodeRequest(
        decoded,
        target({ model: asString(body["model"]) ?? "", maker: record.provider === "deepseek" ? "deepseek" : "openai" }),
      );
      expect(dropped).toEqual([]);
      expect(meaning(again)).toEqual(meaning(body));
    },
  );

  it.each(answers.map((record) => [record.id, record] as const))(
    "answer %s survives decode and encode",
    (_id, record) => {
      const body = json(record);
      const encoded = wire.encodeResponse(wire.decodeResponse(body, target()), context());
      const expected = said(body) as JsonObject;
      const actual = withoutIds(said(encoded)) as JsonObject;
      // Fields of the caller's own request that the recording lacks are added, none is changed.
      for (const key of Object.keys(actual)) if (!(key in expected)) delete actual[key];
      expect(actual).toEqual(expected);
    },
  );

  it.each(answers.map((record) => [record.id, record] as const))(
    "answer %s is the fold of its events",
    (_id, record) => {
      const decoded = wire.decodeResponse(json(record), target());
      expect(neutral(fold(unfold(decoded)))).toEqual(neutral(decoded));
    },
  );

  it.each(answers.map((record) => [record.id, record] as const))(
    "answer %s as a stream gives the same answer",
    (_id, record) => {
      const decoded = wire.decodeResponse(json(record), target());
      const frames = framesOf(encodeAll(unfold(decoded)));
      expect(frames.map((frame) => frame["sequence_number"])).toEqual(frames.map((_frame, at) => at));
      expect(finalOf(frames)).toEqual(wire.encodeResponse(decoded, context()));
    },
  );

  it.each(sound.map((record) => [record.id, record] as const))(
    "stream %s folds to its own last Response",
    (_id, record) => {
      const folded = fold(decodeAll(bodyOf(record)));
      const last = finalOf(events(record));
      expect(oneState(neutral(folded))).toEqual(oneState(neutral(wire.decodeResponse(last, target()))));
    },
  );

  it.each(readable.map((record) => [record.id, record] as const))(
    "stream %s is the same in any fragments (F8)",
    (_id, record) => {
      const whole = decodeAll(bodyOf(record));
      for (const size of [1, 7, 64]) {
        const decoder = wire.decodeEvents(target());
        const pieces = fragments(bodyOf(record), size).flatMap((piece) => decoder.push(piece));
        expect([...pieces, ...decoder.end()]).toEqual(whole);
      }
    },
  );

  it.each(sound.map((record) => [record.id, record] as const))(
    "stream %s survives decode and encode",
    (_id, record) => {
      const frames = framesOf(encodeAll(decodeAll(bodyOf(record))));
      expect(frames.map((frame) => frame["sequence_number"])).toEqual(frames.map((_frame, at) => at));
      const all = events(record);
      const before = all.slice(0, endOf(all) + 1);
      const actual = oneState(said(finalOf(frames))) as JsonObject;
      const expected = oneState(said(finalOf(before))) as JsonObject;
      for (const key of Object.keys(actual)) if (!(key in expected)) delete actual[key];
      expect(actual).toEqual(expected);
      const count = (list: readonly JsonObject[], type: string): number =>
        list.filter((event) => event["type"] === type).length;
      const types = [...new Set(before.map((event) => typeOf(event)))].filter(
        (type) => !/delta|content_part|reasoning_part/.test(type),
      );
      // Hosts forget to close an item; that is made good. Nothing else is added, nothing is lost.
      const changed = types.filter((type) => {
        const more = count(frames, type) - count(before, type);
        return more < 0 || (more > 0 && !type.endsWith(".done"));
      });
      expect(changed).toEqual([]);
    },
  );

  it.each(
    sound
      .filter((record) => refused[record.id] === undefined && unknown[record.id] === undefined)
      .map((record) => [record.id, record] as const),
  )("stream %s runs through the official stream helper", async (_id, record) => {
    const expected = oneState(said(await viaSdk(bodyOf(record)))) as JsonObject;
    const actual = oneState(said(await viaSdk(encodeAll(decodeAll(bodyOf(record)))))) as JsonObject;
    for (const key of Object.keys(actual)) if (!(key in expected)) delete actual[key];
    expect(actual).toEqual(expected);
  });

  it.each(Object.keys(refused))("stream %s, which the official helper refuses, is mended", async (id) => {
    const record = streams.find((one) => one.id === id)!;
    await expect(viaSdk(bodyOf(record))).rejects.toThrow(/Unhandled|identity changed/);
    await expect(viaSdk(encodeAll(decodeAll(bodyOf(record))))).resolves.toBeDefined();
  });

  it.each(Object.keys(unknown))("stream %s passes events that the official helper does not know", async (id) => {
    const record = streams.find((one) => one.id === id)!;
    await expect(viaSdk(bodyOf(record))).rejects.toThrow(/Unhandled/);
    await expect(viaSdk(encodeAll(decodeAll(bodyOf(record))))).rejects.toThrow(/Unhandled/);
  });

  it.each(Object.entries(malformed))("stream %s gives the wire's error: %s", (id, _reason) => {
    const record = streams.find((one) => one.id === id)!;
    const decoded = decodeAll(bodyOf(record));
    expect(decoded.at(-1)).toMatchObject({ type: "error" });
    expect(() => fold(decoded)).toThrow(GatewayError);
    expect(framesOf(encodeAll(decoded)).some((frame) => frame["type"] === "error")).toBe(true);
  });

  it.each(failures.map((record) => [record.id, record] as const))(
    "failure %s is an error with its own words",
    (_id, record) => {
      const error = wire.decodeError(record.status, {}, record.resp_text ?? "", target());
      expect(error).toBeInstanceOf(GatewayError);
      const encoded = wire.encodeError(error, "req_1");
      expect(encoded.status).toBeGreaterThanOrEqual(400);
      expect(asObject((encoded.body as JsonObject)["error"])?.["message"]).toBeTypeOf("string");
    },
  );
});
