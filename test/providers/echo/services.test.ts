// echo besides chat: counts, embeddings, pictures, sound; through the gateway, as an SDK asks.
import { afterAll, beforeAll, expect, test } from "vitest";
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";
import { startGateway, type TestGateway } from "../../support/gateway.ts";

let gateway: TestGateway;
let openai: OpenAI;
beforeAll(async () => {
  gateway = await startGateway("providers: { echo: { pace: 0 } }\n");
  openai = new OpenAI({ apiKey: "none", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
});
afterAll(() => gateway.stop());

test("embeddings: unit vectors, the same for the same text, in both encodings", async () => {
  const ask = (encoding: "float" | "base64" | undefined): Promise<OpenAI.CreateEmbeddingResponse> =>
    openai.embeddings.create({
      model: "echo/echo-embed",
      input: ["one", "two", "one"],
      dimensions: 32,
      ...(encoding === undefined ? {} : { encoding_format: encoding }),
    });
  const { data, usage } = await ask("float");
  const [one, two, again] = data.map(({ embedding }) => embedding);
  expect(one).toHaveLength(32);
  expect(again).toEqual(one);
  expect(two).not.toEqual(one);
  expect(Math.hypot(...one!)).toBeCloseTo(1, 6);
  expect(usage.prompt_tokens).toBe(3);
  // The SDK asks for base64 by itself, and reads it.
  const [first] = (await ask(undefined)).data;
  first!.embedding.forEach((value, at) => expect(value).toBeCloseTo(one![at]!, 5));
});

test("pictures are PNGs, speech is a WAV, a transcript names the file", async () => {
  const { data } = await openai.images.generate({ model: "echo/echo", prompt: "a loom", n: 2 });
  expect(data).toHaveLength(2);
  const png = Buffer.from(data![0]!.b64_json!, "base64");
  expect(png.subarray(1, 4).toString()).toBe("PNG");
  expect(png.subarray(-8, -4).toString()).toBe("IEND");
  const speech = await openai.audio.speech.create({ model: "echo/echo", voice: "alloy", input: "Hello" });
  const wav = Buffer.from(await speech.arrayBuffer());
  expect(wav.subarray(0, 4).toString() + wav.subarray(8, 12).toString()).toBe("RIFFWAVE");
  expect(wav.readUInt32LE(4)).toBe(wav.length - 8);
  const file = new File([wav], "hello.wav", { type: "audio/wav" });
  const { text } = await openai.audio.transcriptions.create({ model: "echo/echo", file });
  expect(text).toBe(`An audio file named hello.wav of ${wav.length} bytes.`);
});

test("token counts agree with the usage of the call (F24)", async () => {
  const anthropic = new Anthropic({ apiKey: "none", baseURL: gateway.url, maxRetries: 0 });
  const request = { model: "echo/echo", messages: [{ role: "user" as const, content: "How many tokens is this?" }] };
  const { input_tokens: counted } = await anthropic.messages.countTokens(request);
  const { usage } = await anthropic.messages.create({ ...request, max_tokens: 100 });
  expect(counted).toBeGreaterThan(5);
  expect(usage.input_tokens).toBe(counted);
});

test("echo-reasoning thinks with a signature that it checks when it comes back", async () => {
  const anthropic = new Anthropic({ apiKey: "none", baseURL: gateway.url, maxRetries: 0 });
  const first = { role: "user" as const, content: "Think about looms" };
  const base = {
    model: "echo/echo-reasoning",
    max_tokens: 2_000,
    thinking: { type: "enabled" as const, budget_tokens: 1_024 },
  };
  const answer = await anthropic.messages.create({ ...base, messages: [first] });
  const [thinking] = answer.content;
  if (thinking?.type !== "thinking") throw new Error("no thinking");
  expect(thinking.signature).not.toBe("");
  const next = (content: Anthropic.ContentBlockParam[]): Promise<Anthropic.Message> =>
    anthropic.messages.create({
      ...base,
      messages: [first, { role: "assistant", content }, { role: "user", content: "go on" }],
    });
  expect((await next(answer.content as Anthropic.ContentBlockParam[])).content.at(-1)).toMatchObject({ type: "text" });
  const changed = [
    { ...thinking, thinking: "something else" },
    { type: "text" as const, text: "x" },
  ];
  await expect(next(changed)).rejects.toThrow(/expected a signature that fits its reasoning/);
});

test.each([
  ["embeddings", { model: "echo/echo-embed", input: [] }],
  ["embeddings", { model: "echo/echo-embed", input: "a", dimensions: 0 }],
  ["embeddings", { model: "echo/echo-embed", input: [{}] }],
  ["images/generations", { model: "echo/echo", prompt: "" }],
  ["audio/speech", { model: "echo/echo", input: 7 }],
])("%s: what is no request is a 400 that names its field: %j", async (path, body) => {
  const response = await fetch(`${gateway.url}/v1/${path}`, { method: "POST", body: JSON.stringify(body) });
  const { error } = (await response.json()) as { error: { param: string } };
  expect(response.status).toBe(400);
  expect(error.param).toMatch(/^(?:input|dimensions|prompt)$/);
});
