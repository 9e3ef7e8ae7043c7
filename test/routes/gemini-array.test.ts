// Gemini without `alt=sse`: whatever stands behind, and however it ends, the body is one JSON array.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientWireIds } from "../../lib/model/wire-id.ts";
import {
  type Answer,
  jsonAnswer,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
} from "../support/gateway.ts";
import { providerOf, providersYaml, rawWires } from "../support/wires.ts";

let upstream: TestUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(providersYaml(upstream.url), {}, (config) => {
    config.retry.attempts = 1;
  });
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

type Chunk = {
  candidates?: { content?: { parts?: { text?: string }[] }; finishReason?: string }[];
  usageMetadata?: { totalTokenCount: number };
  error?: { code: number; status: string; message: string };
};

const call = async (provider: string, query = ""): Promise<{ response: Response; text: string }> => {
  const response = await fetch(`${gateway.url}/v1beta/models/${provider}/up:streamGenerateContent${query}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-goog-api-key": "fake" },
    body: JSON.stringify({ contents: [{ role: "user", parts: [{ text: "hi" }] }] }),
  });
  return { response, text: await response.text() };
};
const chunksOf = (text: string): Chunk[] => {
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) throw new Error(`no array: ${text}`);
  return value as Chunk[];
};
const textOf = (chunks: readonly Chunk[]): string =>
  chunks.map((chunk) => chunk.candidates?.[0]?.content?.parts?.map((part) => part.text ?? "").join("") ?? "").join("");

const sse =
  (...pieces: string[]): Answer =>
  async (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const piece of pieces) {
      response.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  };
const cut =
  (...pieces: string[]): Answer =>
  (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    // The break comes once the bytes are out, so that they are read first.
    response.write(pieces.join(""), () => response.destroy());
  };

describe.each(clientWireIds)("from a provider of %s", (wire) => {
  const raw = rawWires[wire];
  const provider = providerOf[wire];

  test.each([1, 7, 100_000])("reads of %i bytes", async (size) => {
    const whole = raw.begin + raw.end;
    upstream.answer(sse(...(whole.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [])));
    const { response, text } = await call(provider);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json; charset=UTF-8");
    const chunks = chunksOf(text);
    expect(textOf(chunks)).toBe("Hello");
    expect(chunks.at(-1)?.candidates?.[0]?.finishReason).toBe("STOP");
    expect(chunks.at(-1)?.usageMetadata?.totalTokenCount).toBe(6);
  });

  test("an error before the first event is an array (F28)", async () => {
    upstream.answer(jsonAnswer(429, raw.error(429, "slow down")));
    const { response, text } = await call(provider);
    expect(response.status).toBe(429);
    const chunks = chunksOf(text);
    expect(chunks).toHaveLength(1);
    expect(chunks[0]?.error).toMatchObject({ code: 429, status: "RESOURCE_EXHAUSTED" });
  });

  test.each([
    ["an error event", sse(raw.begin, raw.midError)],
    ["an end without the wire's own", sse(raw.begin)],
    ["a cut in mid-event", cut(raw.begin, raw.begin.slice(0, 17))],
    ["garbage", sse(raw.begin, "data: {nonsense\n\n")],
  ])("%s after the first event is the last element (F26)", async (_name, answer) => {
    upstream.answer(answer);
    const { response, text } = await call(provider);
    expect(response.status).toBe(200);
    const chunks = chunksOf(text);
    expect(textOf(chunks)).toBe("Hello");
    expect(chunks.at(-1)?.error).toMatchObject({ code: expect.any(Number) });
    expect(chunks.filter((chunk) => chunk.error !== undefined)).toHaveLength(1);
  });

  test("a host that ignored the wish for a stream", async () => {
    upstream.answer(jsonAnswer(200, raw.whole));
    const chunks = chunksOf((await call(provider)).text);
    expect(textOf(chunks)).toBe("Hello");
  });
});

test("a passed element is the provider's own text, unknown fields and numbers beyond a double among it", async () => {
  const odd =
    '{"candidates":[{"content":{"parts":[{"text":"Hi","novelty":1.00}],"role":"model"},"index":0}],"big":12345678901234567890}';
  const last =
    '{"candidates":[{"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2}}';
  upstream.answer(sse(`data: ${odd}\r\n\r\n`, `data: ${last}\r\n\r\n`));
  const { text } = await call("gemini");
  expect(text).toBe(`[${odd},\r\n${last}\n]\n`);
  expect(upstream.requests.at(-1)?.url).toBe("/v1beta/models/up:streamGenerateContent?alt=sse");
});

test("with alt=sse the same calls are events", async () => {
  const raw = rawWires["gemini-generate"];
  upstream.answer(sse(raw.begin, raw.end));
  expect((await call("gemini", "?alt=sse")).text).toBe(raw.begin + raw.end);
  upstream.answer(jsonAnswer(503, raw.error(503, "down")));
  const { text } = await call("gemini", "?alt=sse");
  expect(JSON.parse(text)).toMatchObject({ error: { code: 503 } });
});

test.each(["/v1beta/models/nobody/x:streamGenerateContent", "/v1/models/nobody/x:streamGenerateContent"])(
  "%s: a model that there is not",
  async (path) => {
    const response = await fetch(gateway.url + path, { method: "POST", body: '{"contents":[]}' });
    expect(response.status).toBe(404);
    expect(chunksOf(await response.text())[0]?.error?.status).toBe("NOT_FOUND");
  },
);
