// The laws of the wire over recorded traffic of the Gemini API and Vertex.
import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../../lib/model/json.ts";
import type { StreamEvent } from "../../../lib/model/event.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import { isObject, parseJson } from "../../../lib/model/json.ts";
import { geminiGenerate } from "../../../lib/wires/gemini-generate/index.ts";
import { camel } from "../../../lib/wires/gemini-generate/names.ts";
import { fold, unfold } from "../../../lib/wires/shared/fold.ts";
import type { Recorded } from "../../recorded.ts";
import { bodyOf, fragments, haveRecordings, recordings } from "../../recorded.ts";
import { bytes, context, read, target, write } from "./support.ts";

const records = recordings("gemini");
const modelOf = (record: Recorded): string => /models\/([^:]+)/.exec(record.urlpath)?.[1] ?? "gemini-2.5-flash";
const to = (record: Recorded) => ({ ...target(modelOf(record)), provider: record.provider });
const whole = records.filter((record) => !record.stream && record.status === 200);
const streams = records.filter((record) => record.stream && record.status === 200);
const failures = records.filter((record) => record.status >= 400);

/** Exchanges that are no use to the laws, with the reason. */
const malformedRequests: Record<string, string> = {
  "6cebabda199e": "role invalid_role: Google refuses it as well",
};

const isText = (part: Json | undefined): part is JsonObject => isObject(part) && typeof part["text"] === "string";

/** Empty texts without a signature say nothing; `thought: false` is the default; neighbours of one kind are one text. */
const normalParts = (parts: unknown, merge: boolean): Json[] => {
  const result: JsonObject[] = [];
  for (const raw of Array.isArray(parts) ? (parts as JsonObject[]) : []) {
    const part = deepCamel(raw) as JsonObject;
    if (part["thought"] === false) delete part["thought"];
    if (part["text"] === "" && part["thoughtSignature"] === undefined) continue;
    // An id that the client left out may be filled in, where call and result carry one.
    const last = result.at(-1);
    const kind = (value: JsonObject): string => JSON.stringify([isText(value), value["thought"]]);
    if (
      merge &&
      last !== undefined &&
      isText(last) &&
      isText(part) &&
      kind(last) === kind(part) &&
      last["thoughtSignature"] === undefined
    ) {
      last["text"] = `${last["text"] as string}${part["text"] as string}`;
      if (part["thoughtSignature"] !== undefined) last["thoughtSignature"] = part["thoughtSignature"];
    } else result.push({ ...part });
  }
  return result;
};

const free = new Set([
  "args",
  "response",
  "parameters",
  "parametersJsonSchema",
  "responseJsonSchema",
  "responseSchema",
]);

/** One spelling of names, but inside what is the caller's own. */
const deepCamel = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(deepCamel);
  if (!isObject(value)) return value;
  const named = camel(value);
  const result: JsonObject = {};
  for (const [key, entry] of Object.entries(named))
    if (entry !== undefined && entry !== null) result[key] = free.has(key) ? entry : deepCamel(entry);
  return result;
};

/** Streamed arguments of numbers at the top, as one recorded history holds them. */
const wholeCall = (part: Json): Json => {
  const call = isObject(part) && isObject(part["functionCall"]) ? part["functionCall"] : undefined;
  if (call === undefined || !Array.isArray(call["partialArgs"])) return part;
  const { partialArgs, ...rest } = call;
  const args = (partialArgs as JsonObject[]).map((piece) => [
    (piece["jsonPath"] as string).slice(2),
    piece["numberValue"],
  ]);
  return { ...(part as JsonObject), functionCall: { ...rest, args: Object.fromEntries(args) as JsonObject } };
};

const normalRequest = (body: JsonObject): JsonObject => {
  const result = deepCamel(structuredClone(body)) as JsonObject;
  const contents = (result["contents"] as JsonObject[] | undefined) ?? [];
  // Neighbours of one role are one turn.
  const turns: { role: Json; parts: Json[] }[] = [];
  for (const content of contents) {
    const role = content["role"] ?? "user";
    const parts = normalParts(content["parts"], false);
    const last = turns.at(-1);
    if (last?.role === role) last.parts.push(...parts);
    else turns.push({ role, parts });
  }
  result["contents"] = turns.map(({ role, parts }) => ({
    role,
    parts: (role === "model" ? normalParts(parts, true) : parts).map(wholeCall),
  }));
  if (isObject(result["systemInstruction"]))
    result["systemInstruction"] = { parts: normalParts(result["systemInstruction"]["parts"], false) };
  const config = result["generationConfig"];
  if (isObject(config) && Object.keys(config).length === 0) delete result["generationConfig"];
  for (const key of ["toolConfig", "tools"]) {
    const value = result[key];
    if ((isObject(value) && Object.keys(value).length === 0) || (Array.isArray(value) && value.length === 0))
      delete result[key];
  }
  const tools = result["tools"];
  if (tools !== undefined) result["tools"] = normalTools((Array.isArray(tools) ? tools : [tools]) as JsonObject[]);
  return result;
};

/** Functions may be listed in one tool or several. */
const normalTools = (tools: JsonObject[]): Json[] => {
  const functions = tools.flatMap((tool) => (tool["functionDeclarations"] as Json[] | undefined) ?? []);
  const others = tools.flatMap((tool) =>
    Object.entries(tool)
      .filter(([key]) => key !== "functionDeclarations")
      .map(([key, value]) => ({ [key]: value })),
  );
  return [functions, ...others];
};

const unmarked = (value: Json): Json =>
  JSON.parse(JSON.stringify(value).replaceAll(',"thoughtSignature":"skip_thought_signature_validator"', "")) as Json;

const normalAnswer = (body: JsonObject): JsonObject => {
  const result = structuredClone(body);
  const candidates = (result["candidates"] as JsonObject[] | undefined) ?? [];
  result["candidates"] = candidates.map((candidate, at) => {
    const content = isObject(candidate["content"]) ? candidate["content"] : {};
    const finish = candidate["finishReason"] === 1 ? "STOP" : candidate["finishReason"];
    const parts = normalParts(content["parts"], true);
    const told = { index: candidate["index"] ?? at, finishReason: finish, content: { role: "model", parts } };
    return Object.assign(candidate, told);
  });
  if (candidates.length === 0) delete result["candidates"];
  return result;
};

/** What the laws compare: everything but how the text was cut into deltas. */
const joined = (events: readonly StreamEvent[]): unknown => fold(events);

describe.skipIf(!haveRecordings)("recorded Gemini traffic", () => {
  const requests = records.filter((record) => record.req !== null && malformedRequests[record.id] === undefined);

  it.each(requests.map((record) => [record.id, record] as const))(
    "request %s decodes and encodes without loss",
    (_id, record) => {
      const body = record.req ?? {};
      const decoded = geminiGenerate.decodeRequest(structuredClone(body), {
        model: modelOf(record),
        stream: record.stream,
      });
      const { body: again, dropped } = geminiGenerate.encodeRequest(decoded, to(record));
      expect(dropped).toEqual([]);
      expect(unmarked(normalRequest(again))).toEqual(normalRequest(body));
      const twice = geminiGenerate.decodeRequest(structuredClone(again), {
        model: modelOf(record),
        stream: record.stream,
      });
      expect(geminiGenerate.encodeRequest(twice, to(record)).body).toEqual(again);
    },
  );

  it("names the requests that are malformed", () => {
    for (const record of records.filter((entry) => malformedRequests[entry.id] !== undefined))
      expect(() => geminiGenerate.decodeRequest(record.req ?? {}, { model: "m" })).toThrow(GatewayError);
  });

  it.each(whole.map((record) => [record.id, record] as const))(
    "answer %s decodes and encodes without loss",
    (_id, record) => {
      const body = parseJson(record.resp_text ?? "") as JsonObject;
      const decoded = geminiGenerate.decodeResponse(body, to(record));
      const again = geminiGenerate.encodeResponse(decoded, context);
      expect(normalAnswer({ modelVersion: modelOf(record), ...again })).toEqual(
        normalAnswer({ modelVersion: modelOf(record), ...body }),
      );
      expect(geminiGenerate.decodeResponse(structuredClone(again), to(record))).toEqual(decoded);
    },
  );

  it.each(streams.map((record) => [record.id, record] as const))(
    "stream %s: any fragments, the fold, and its encoding agree",
    (_id, record) => {
      const body = bodyOf(record);
      const events = read([body], to(record));
      expect(events.filter((event) => event.type === "error")).toEqual([]);
      for (const size of [1, 7, 64]) expect(read(fragments(body, size), to(record))).toEqual(events);
      const folded = fold(events);
      for (const batch of [1, 3, 1000]) {
        const again = read([bytes(write(events, batch))], to(record));
        expect(joined(again)).toEqual(folded);
      }
      expect(joined(read([bytes(write(unfold(folded), 2))], to(record)))).toEqual(folded);
      // The whole answer of the same content reads as the stream's fold does.
      const answer = geminiGenerate.encodeResponse(folded, context);
      const { extra: _extra, ...content } = geminiGenerate.decodeResponse(answer, to(record));
      const { extra: _folded, ...expected } = folded;
      expect(content).toEqual(expected);
    },
  );

  it.each(failures.map((record) => [record.id, record] as const))("error %s keeps its meaning", (_id, record) => {
    const text = (record.resp_text ?? "").trim();
    const error = geminiGenerate.decodeError(record.status, {}, text, to(record));
    const key = text.includes("API_KEY_INVALID");
    expect(error.code).not.toBe("internal");
    expect(error.status).toBe(key ? 502 : record.status);
    const { body } = geminiGenerate.encodeError(error, "q");
    const own = JSON.parse(text.replace(/^data: /, "")) as JsonObject;
    expect(key ? error.code : body).toEqual(key ? "upstream_authentication" : own);
  });
});
