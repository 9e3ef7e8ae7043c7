// Answers of Gemini, whole and streamed, read and written.
import { array, assert, property } from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChatResponse, StopReason, StreamEvent } from "../../../lib/model/event.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import { encodeGeminiArray, arrayHeartbeat, geminiGenerate } from "../../../lib/wires/gemini-generate/index.ts";
import { fold, unfold } from "../../../lib/wires/shared/fold.ts";
import { fragments } from "../../recorded.ts";
import {
  anyJson,
  answer,
  bytes,
  chunksOf,
  context,
  decode,
  foldChunks,
  model,
  read,
  readChunks,
  sse,
  target,
  write,
} from "./support.ts";

const whole = (body: JsonObject): ChatResponse => geminiGenerate.decodeResponse(body, target());
const written = (response: ChatResponse): JsonObject => geminiGenerate.encodeResponse(response, context);

const response = (over: Partial<ChatResponse>): ChatResponse => ({
  id: "r1",
  model: "m",
  parts: [],
  reason: "end",
  ...over,
});

const partsOf = (body: JsonObject): JsonObject[] =>
  (body["candidates"] as { content: { parts: JsonObject[] } }[]).flatMap((candidate) => candidate.content.parts);

describe("stop reasons (F4)", () => {
  it.each([
    ["STOP", "end"],
    ["MAX_TOKENS", "length"],
    ["SAFETY", "content-filter"],
    ["RECITATION", "content-filter"],
    ["MODEL_ARMOR", "content-filter"],
    ["IMAGE_SAFETY", "content-filter"],
    ["MALFORMED_FUNCTION_CALL", "malformed-tool-call"],
    ["UNEXPECTED_TOOL_CALL", "malformed-tool-call"],
    ["LANGUAGE", "end"],
    ["OTHER", "end"],
    ["SOMETHING_NEW", "other"],
  ] as [string, StopReason][])("%s is %s, and goes back as it was", (native, reason) => {
    const decoded = whole(answer([{ text: "x" }], native));
    expect(decoded).toMatchObject({ reason, native });
    expect(written(decoded)).toMatchObject({ candidates: [{ finishReason: native }] });
  });

  it.each([
    ["end", "STOP"],
    ["stop-sequence", "STOP"],
    ["length", "MAX_TOKENS"],
    ["context-length", "MAX_TOKENS"],
    ["tool-calls", "STOP"],
    ["refusal", "SAFETY"],
    ["content-filter", "SAFETY"],
    ["malformed-tool-call", "MALFORMED_FUNCTION_CALL"],
    ["pause", "STOP"],
    ["other", "OTHER"],
  ] as [StopReason, string][])("%s of another wire is written %s", (reason, native) => {
    expect(written(response({ reason, native: "end_turn" }))).toMatchObject({ candidates: [{ finishReason: native }] });
  });

  it("says tool-calls where Gemini says STOP (F3), but not where it was cut", () => {
    const call = { functionCall: { name: "f", args: {} } };
    expect(whole(answer([call], "STOP")).reason).toBe("tool-calls");
    expect(whole(answer([call], "MAX_TOKENS")).reason).toBe("length");
    // A call that Gemini itself has answered (a server it talks to) waits for nobody.
    expect(whole(answer([call, { functionResponse: { name: "f", response: {} } }, { text: "x" }], "STOP")).reason).toBe(
      "end",
    );
  });

  it("reads a refused prompt, whole and streamed", () => {
    const body = {
      promptFeedback: { blockReason: "SAFETY" },
      modelVersion: "m",
      responseId: "r1",
      usageMetadata: { promptTokenCount: 3, totalTokenCount: 3 },
    };
    const decoded = whole(body);
    expect(decoded).toMatchObject({
      parts: [],
      reason: "content-filter",
      native: "SAFETY",
      usage: { input: 3, output: 0 },
    });
    expect(foldChunks(body)).toEqual(decoded);
    expect(written(decoded)).toEqual(body);
    expect(chunksOf(write(unfold(decoded)))).toEqual([body]);
  });
});

describe("usage", () => {
  it("counts thoughts as output and what tools read as input, and cached tokens once (F36)", () => {
    const usageMetadata = {
      promptTokenCount: 10,
      toolUsePromptTokenCount: 5,
      cachedContentTokenCount: 4,
      candidatesTokenCount: 3,
      thoughtsTokenCount: 7,
      totalTokenCount: 25,
      promptTokensDetails: [{ modality: "AUDIO", tokenCount: 6 }],
    };
    const decoded = whole(answer([{ text: "x" }], "STOP", { usageMetadata }));
    expect(decoded.usage).toMatchObject({ input: 15, cachedInput: 4, output: 10, reasoning: 7, inputAudio: 6 });
    expect(written(decoded)["usageMetadata"]).toEqual(usageMetadata);
  });

  it("writes the counts of other wires, never a negative one", () => {
    const usage = { input: 10, output: 8, reasoning: 3, cachedInput: 2 };
    expect(written(response({ usage }))["usageMetadata"]).toEqual({
      promptTokenCount: 10,
      candidatesTokenCount: 5,
      thoughtsTokenCount: 3,
      cachedContentTokenCount: 2,
      totalTokenCount: 18,
    });
  });
});

describe("parts", () => {
  it("keeps each signature with its part, and only Google's own bare (F10, F14)", () => {
    const parts = [
      { text: "hm", thought: true, thoughtSignature: "A" },
      { text: "x", thoughtSignature: "B" },
      { functionCall: { name: "f", args: {} }, thoughtSignature: "C" },
    ];
    const decoded = whole(answer(parts, "STOP"));
    expect(decoded.parts).toMatchObject([
      { type: "reasoning", text: "hm", opaque: { origin: "google", data: "A" } },
      { type: "text", opaque: { data: "B" } },
      { type: "tool-call", opaque: { data: "C" } },
    ]);
    expect(written(decoded)).toMatchObject({ candidates: [{ content: { parts } }] });
  });

  it("carries foreign thoughts through a client and back: signed, redacted, with an id (F11, F48)", () => {
    const parts: ChatResponse["parts"] = [
      { type: "reasoning", text: "deep", opaque: { origin: "anthropic", data: "s1" } },
      { type: "reasoning", text: "", redacted: true, opaque: { origin: "anthropic", data: "s2" } },
      { type: "reasoning", text: "", id: "rs_1", opaque: { origin: "openai", data: "s3" } },
      { type: "text", text: "x" },
    ];
    for (const sent of [
      model(...partsOf(written(response({ parts })))),
      model(...chunksOf(write(unfold(response({ parts })))).flatMap(partsOf)),
    ]) {
      expect(JSON.stringify(sent)).not.toMatch(/"s1"|"s2"|"s3"/);
      expect(
        decode({ contents: [sent] }).messages[0]?.parts.filter((part) => part.type !== "text" || part.text !== ""),
      ).toEqual(parts);
    }
  });

  it("sends ids of other wires to the client, and none that were made up here", () => {
    const parts: ChatResponse["parts"] = [{ type: "tool-call", callId: "toolu_1", name: "f", arguments: "{}" }];
    expect(written(response({ parts }))).toMatchObject({
      candidates: [{ content: { parts: [{ functionCall: { id: "toolu_1" } }] } }],
    });
    const own = whole(answer([{ functionCall: { name: "f" } }, { functionCall: { name: "f" } }], "STOP"));
    const ids = own.parts.map((part) => (part.type === "tool-call" ? part.callId : ""));
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^call_gm[a-zA-Z0-9_-]{1,57}$/);
    expect(JSON.stringify(written(own))).not.toContain('"id"');
  });

  it("keeps unknown parts and metadata, and says executed code in words to others", () => {
    const body = answer(
      [
        { executableCode: { language: "PYTHON", code: "print(1)" } },
        { codeExecutionResult: { outcome: "OUTCOME_OK", output: "1\n" } },
        { newThing: 1 },
        { inlineData: { mimeType: "image/png", data: "AA" } },
      ],
      "STOP",
    );
    const candidate = (body["candidates"] as JsonObject[])[0] as JsonObject;
    Object.assign(candidate, { avgLogprobs: -1, urlContextMetadata: { u: 1 } });
    const decoded = whole(body);
    expect(decoded.parts).toMatchObject([
      { type: "opaque", text: "```\nprint(1)\n```\n" },
      { type: "opaque" },
      { type: "opaque" },
      { type: "image" },
    ]);
    expect(written(decoded)).toEqual(body);
  });

  it("reads further candidates", () => {
    const body = {
      candidates: [
        { content: { parts: [{ text: "a" }], role: "model" }, index: 0, finishReason: "STOP" },
        { content: { parts: [{ text: "b" }], role: "model" }, index: 1, finishReason: "MAX_TOKENS" },
      ],
      modelVersion: "m",
      responseId: "r1",
    };
    const decoded = whole(body);
    expect(decoded.alternatives).toMatchObject([{ parts: [{ text: "b" }], reason: "length" }]);
    expect(written(decoded)).toEqual(body);
    expect(fold(read([bytes(write(unfold(decoded)))]))).toEqual(decoded);
  });

  it("refuses what is not an answer", () => {
    for (const body of [{}, [], "x", { choices: [] }, null])
      expect(() => geminiGenerate.decodeResponse(body, target())).toThrow(GatewayError);
    expect(() => whole({ error: { code: 429, message: "m", status: "RESOURCE_EXHAUSTED" } })).toThrow(
      expect.objectContaining({ code: "rate_limited" }) as Error,
    );
  });
});

describe("anything at all", () => {
  it("is an answer or a GatewayError, never a crash", () => {
    const failed = (body: JsonObject): unknown => {
      try {
        written(whole(body));
      } catch (error) {
        if (!(error instanceof GatewayError)) return error;
      }
      const events = readChunks(answer([{ text: "a" }]), body, answer([{ text: "b" }], "STOP"));
      write(events);
      return events.filter((event) => event.type === "response-end" || event.type === "error").length === 1
        ? undefined
        : "no end";
    };
    assert(
      property(array(anyJson, { maxLength: 2 }), anyJson, (candidates, other) => {
        expect(failed({ candidates, usageMetadata: other, promptFeedback: other } as JsonObject)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});

describe("citations", () => {
  it("turns byte offsets into UTF-16 ones, and back", () => {
    const text = "Grüße 👋. Paris ist groß.";
    const words = "Paris ist groß.";
    const startIndex = Buffer.byteLength("Grüße 👋. ");
    const segment = { startIndex, endIndex: startIndex + Buffer.byteLength(words), text: words };
    const grounding = {
      groundingChunks: [{ web: { uri: "https://a", title: "A" } }],
      groundingSupports: [{ segment, groundingChunkIndices: [0] }],
    };
    const body = answer([{ text }], "STOP");
    Object.assign((body["candidates"] as JsonObject[])[0] as JsonObject, { groundingMetadata: grounding });
    const decoded = whole(body);
    const citation = { url: "https://a", title: "A", start: text.indexOf(words), end: text.length };
    expect(decoded.parts).toMatchObject([{ text, citations: [citation] }]);
    expect(written(decoded)).toEqual(body);
    // Of another wire: the same metadata, whole and streamed.
    const foreign = response({ parts: [{ type: "text", text, citations: [citation] }] });
    expect(written(foreign)).toMatchObject({ candidates: [{ groundingMetadata: grounding }] });
    expect(chunksOf(write(unfold(foreign))).at(-1)).toMatchObject({ candidates: [{ groundingMetadata: grounding }] });
  });

  it("takes a citation without offsets for the whole of its part", () => {
    const parts: ChatResponse["parts"] = [
      { type: "text", text: "ab" },
      { type: "text", text: "cd", citations: [{ url: "https://a" }] },
    ];
    expect(written(response({ parts }))).toMatchObject({
      candidates: [
        { groundingMetadata: { groundingSupports: [{ segment: { startIndex: 2, endIndex: 4, text: "cd" } }] } },
      ],
    });
  });
});

describe("streams read", () => {
  it("joins chunks of one kind, and binds a signature that comes after its text", () => {
    const folded = foldChunks(
      answer([{ text: "hm ", thought: true }]),
      answer([{ text: "hm", thought: true }]),
      answer([{ text: "Hel" }]),
      answer([{ text: "lo" }]),
      answer([{ text: "", thoughtSignature: "S" }], "STOP", {
        usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 2, totalTokenCount: 3 },
      }),
    );
    expect(folded).toMatchObject({ id: "r1", reason: "end", native: "STOP", usage: { input: 1, output: 2 } });
    expect(folded.parts).toEqual([
      { type: "reasoning", form: "summary", text: "hm hm" },
      { type: "text", text: "Hello", opaque: { origin: "google", data: "S" } },
    ]);
  });

  it("tells cumulative usage once for each change (F35)", () => {
    const at = (count: number) => ({
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: count, totalTokenCount: 1 + count },
    });
    const events = readChunks(
      answer([{ text: "a" }], undefined, at(1)),
      answer([{ text: "b" }], undefined, at(1)),
      answer([{ text: "c" }], "STOP", at(3)),
    );
    expect(events.filter((event) => event.type === "usage")).toHaveLength(2);
    expect(fold(events).usage).toMatchObject({ output: 3 });
  });

  it("gives parallel calls of several chunks their own indexes (F1)", () => {
    const events = readChunks(
      answer([{ functionCall: { name: "f", args: { n: 1 } } }, { functionCall: { name: "f", args: { n: 2 } } }]),
      answer([{ functionCall: { name: "g" } }]),
      answer([{ text: "" }], "STOP"),
    );
    expect(events.flatMap((event) => (event.type === "part-start" ? [event.index] : []))).toEqual([0, 1, 2]);
    expect(fold(events).parts).toMatchObject([
      { arguments: '{"n":1}' },
      { arguments: '{"n":2}' },
      { name: "g", arguments: "{}" },
    ]);
  });

  it("puts streamed arguments together", () => {
    const call = (functionCall: JsonObject) => answer([{ functionCall }]);
    const folded = foldChunks(
      call({ name: "f", willContinue: true }),
      call({ partialArgs: [{ jsonPath: "$.a.b[0].c", stringValue: "x", willContinue: true }], willContinue: true }),
      call({
        partialArgs: [
          { jsonPath: "$.a.b[0].c", stringValue: "y" },
          { jsonPath: "$['n']", numberValue: 2 },
          { jsonPath: "$.t", boolValue: true },
        ],
        willContinue: true,
      }),
      answer([{ functionCall: {} }], "STOP"),
    );
    expect(folded.parts).toMatchObject([{ name: "f", arguments: '{"a":{"b":[{"c":"xy"}]},"n":2,"t":true}' }]);
    expect(folded.reason).toBe("tool-calls");
  });

  const chunks = [
    answer([{ text: "Grü" }]),
    answer([{ text: 'ße "👋" {[' }]),
    answer([{ functionCall: { name: "f", args: { "}": "]" } } }], "STOP"),
  ];

  it.each([
    ["CRLF", sse(...chunks)],
    ["LF, no space, comments", chunks.map((chunk) => `: c\n\ndata:${JSON.stringify(chunk)}\n\n`).join("")],
    ["an array", `[${chunks.map((chunk) => JSON.stringify(chunk, null, 2)).join(",\r\n")}\n]`],
    ["no last blank line", sse(...chunks).trimEnd()],
  ])("reads %s in any fragments (F8)", (_name, text) => {
    const expected = readChunks(...chunks);
    for (const size of [1, 2, 7, 64, 4096]) expect(read(fragments(bytes(text), size))).toEqual(expected);
  });

  const failure = (text: string): GatewayError => {
    const events = read([bytes(text)]);
    const errors = events.flatMap((event) => (event.type === "error" ? [event.error] : []));
    expect(errors).toHaveLength(1);
    expect(events.at(-1)?.type).toBe("error");
    expect(events.some((event) => event.type === "response-end")).toBe(false);
    return errors[0] as GatewayError;
  };
  const error = { error: { code: 429, message: "quota", status: "RESOURCE_EXHAUSTED" } };

  it("takes every end that is none for a failure (F26, F27)", () => {
    expect(failure("").code).toBe("upstream_error");
    expect(failure("<html>Bad gateway</html>").code).toBe("upstream_error");
    expect(failure(sse(answer([{ text: "a" }]))).code).toBe("upstream_error");
    expect(failure(`${sse(answer([{ text: "a" }]))}data: {"cand`).code).toBe("upstream_error");
    expect(failure(`data: {oops\n\n${sse(answer([{ text: "a" }], "STOP"))}`).code).toBe("upstream_error");
    expect(failure('[{"candidates":[{"content":{"parts":[{"te').code).toBe("upstream_error");
  });

  it("finds an error under a 200: as a chunk, in an array, raw behind the events (F27)", () => {
    expect(failure(sse(answer([{ text: "a" }]), error))).toMatchObject({ code: "rate_limited", status: 429 });
    expect(failure(sse([error])).code).toBe("rate_limited");
    expect(failure(JSON.stringify(error)).code).toBe("rate_limited");
    expect(failure(JSON.stringify([error])).code).toBe("rate_limited");
    expect(failure(`[${JSON.stringify(answer([{ text: "a" }]))},${JSON.stringify(error)}]`).code).toBe("rate_limited");
    expect(failure(`${sse(answer([{ text: "a" }]))}${JSON.stringify(error)}\n`).code).toBe("rate_limited");
  });
});

describe("streams written", () => {
  const events = unfold(
    response({
      parts: [
        { type: "text", text: "Hi" },
        { type: "tool-call", callId: "c", name: "f", arguments: '{"a":1}' },
      ],
      reason: "tool-calls",
      usage: { input: 1, output: 2 },
    }),
  );

  it("has only data lines, the reason on the last chunk alone, and calls whole", () => {
    const text = write(events);
    for (const line of text.split("\r\n")) expect(line === "" || line.startsWith("data: {")).toBe(true);
    const chunks = chunksOf(text);
    expect(chunks.map((chunk) => (chunk["candidates"] as JsonObject[])[0]?.["finishReason"])).toEqual([
      undefined,
      undefined,
      "STOP",
    ]);
    expect(chunks[1]).toMatchObject({
      candidates: [
        { content: { role: "model", parts: [{ functionCall: { id: "c", name: "f", args: { a: 1 } } }] }, index: 0 },
      ],
      responseId: "r1",
      modelVersion: "m",
    });
    expect(chunks[2]).toMatchObject({
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 2, totalTokenCount: 3 },
    });
  });

  it("puts one part into a chunk, and the reason onto the last of a batch", () => {
    const chunks = chunksOf(write(events, 100));
    expect(chunks).toHaveLength(2);
    expect(chunks[1]).toMatchObject({
      candidates: [{ finishReason: "STOP", content: { parts: [{ functionCall: {} }] } }],
    });
  });

  it("keeps calls in their order where their pieces come mixed (F1)", () => {
    const mixed: StreamEvent[] = [
      { type: "response-start", id: "x", model: "m" },
      { type: "part-start", index: 0, part: { type: "tool-call", callId: "a", name: "a", arguments: "" } },
      { type: "part-start", index: 1, part: { type: "tool-call", callId: "b", name: "b", arguments: "" } },
      { type: "part-delta", index: 1, delta: { type: "arguments", text: '{"n":' } },
      { type: "part-delta", index: 0, delta: { type: "arguments", text: '{"m":1}' } },
      { type: "part-delta", index: 1, delta: { type: "arguments", text: "2}" } },
      { type: "part-end", index: 1 },
      { type: "part-end", index: 0 },
      { type: "response-end", reason: "tool-calls" },
    ];
    expect(fold(read([bytes(write(mixed))])).parts).toMatchObject([
      { name: "a", arguments: '{"m":1}' },
      { name: "b", arguments: '{"n":2}' },
    ]);
  });

  it("separates the paragraphs of a summary", () => {
    const parts: ChatResponse["parts"] = [{ type: "reasoning", text: "a\n\nb", summaries: ["a", "b"] }];
    expect(fold(read([bytes(write(unfold(response({ parts }))))])).parts).toMatchObject([
      { type: "reasoning", text: "a\n\nb" },
    ]);
  });

  it("ends with the error in its own envelope, and nothing after it (F26)", () => {
    const failed: StreamEvent[] = [
      ...events.slice(0, 3),
      { type: "error", error: new GatewayError("overloaded", "Busy.") },
      ...events.slice(3),
    ];
    expect(chunksOf(write(failed)).at(-1)).toMatchObject({
      error: { code: 503, status: "UNAVAILABLE", message: "Busy." },
    });
  });

  it("writes the array form, its errors and signs of life among it", () => {
    const elements = (list: readonly StreamEvent[]): JsonObject[] => {
      const encoder = encodeGeminiArray(context);
      let text = "";
      for (const event of list) text += encoder.push([event]) + arrayHeartbeat;
      return JSON.parse(text + encoder.end()) as JsonObject[];
    };
    expect(elements(events)).toEqual(chunksOf(write(events)));
    expect(elements([{ type: "error", error: new GatewayError("overloaded", "Busy.") }])).toMatchObject([
      { error: { code: 503 } },
    ]);
    const encoder = encodeGeminiArray(context);
    const text = events.map((event) => encoder.push([event])).join("") + encoder.end();
    expect(fold(read(fragments(bytes(text), 5)))).toEqual(fold(read([bytes(write(events))])));
  });
});
