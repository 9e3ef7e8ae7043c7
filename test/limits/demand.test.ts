// What a call may come to at most: told from its body, whatever the caller writes there.
import { describe, expect, test } from "vitest";
import { demandOf } from "../../lib/chat/demand.ts";
import { readCall } from "../../lib/chat/read.ts";
import { estimate, type EstimateServices } from "../../lib/limits/estimate.ts";
import type { Demand } from "../../lib/limits/types.ts";
import type { ClientWireId } from "../../lib/model/wire-id.ts";
import { traceOf } from "../../lib/telemetry/trace.ts";
import { clientWires } from "../../lib/wires/index.ts";
import { dataFolder } from "../support/data.ts";
import { startGateway } from "../support/gateway.ts";
import { caller } from "./setup.ts";

const demand = (wire: ClientWireId, body: object | string): Demand =>
  demandOf(
    readCall({
      wire: clientWires[wire],
      body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
      headers: {},
      path: wire === "gemini-generate" ? { model: "m", stream: false } : {},
      array: false,
      strict: false,
      caller: caller(),
      trace: traceOf({}),
      invocation: {
        requestId: "r",
        signal: new AbortController().signal,
        deadline: 0,
        waitUntil: () => undefined,
      },
    }),
    [{ provider: "p", model: "m" }],
  );

const say = (content: unknown): object => ({ model: "p/m", messages: [{ role: "user", content }] });
const chat = (more: object): Demand => demand("openai-chat", { ...say("Hello"), ...more });
const gemini = (config: object, more: object = {}): Demand =>
  demand("gemini-generate", {
    contents: [{ role: "user", parts: [{ text: "Hello" }] }],
    generationConfig: config,
    ...more,
  });

const limits = { outputTokens: 1_000, unpriced: "refuse" } as EstimateServices["limits"];
const rules = {
  rates: [],
  budgets: [{ name: "b", by: "key", amount: 1, per: "day", alerts: [], onStoreFailure: "closed" }],
} as const;
const outputOf = (asked: Demand): number =>
  estimate({ limits, cost: () => 1, outputLimit: () => undefined }, asked, rules).output;

describe("output", () => {
  test.each([
    ["a negative limit", { max_tokens: -1_000_000 }],
    ["a limit of nothing, which hosts take for none", { max_tokens: 0 }],
    ["a limit that is no number", { max_tokens: "many" }],
    ["no limit", { max_tokens: null }],
    ["a limit that is no limit beside one", { max_tokens: -1, max_completion_tokens: 5 }],
    ["a limit larger than numbers go", '{"model":"p/m","messages":[],"max_tokens":1e999}'],
  ])("%s is as much as the model can make", (_, body) => {
    expect(outputOf(typeof body === "string" ? demand("openai-chat", body) : chat(body))).toBe(1_000);
  });

  test.each([
    ["of two limits the larger", { max_tokens: 70, max_completion_tokens: 5 }, 70],
    ["a limit of another wire is none", { max_tokens: 70, max_output_tokens: 5 }, 70],
    ["a number in quotes", { max_tokens: "70" }, 70],
    ["every answer", { max_tokens: 70, n: 3 }, 210],
    ["every answer that is made, though few are told", { max_tokens: 70, n: 1, best_of: "4" }, 280],
    ["no less than one answer", { max_tokens: 70, n: -3 }, 70],
  ])("%s counts", (_, body, most) => {
    expect(outputOf(chat(body))).toBe(most);
  });

  test("of a field that stands twice the last counts, as it is what goes out", () => {
    const body = '{"model":"p/m","messages":[{"role":"user","content":"Hello"}],"max_tokens":1,"max_tokens":70}';
    expect(outputOf(demand("openai-chat", body))).toBe(70);
  });

  test.each([
    ["quoted", { maxOutputTokens: "70", max_output_tokens: 1 }, {}, 70],
    ["of either spelling", { maxOutputTokens: 1, max_output_tokens: 70 }, {}, 70],
    ["of either configuration", { maxOutputTokens: 1 }, { generation_config: { maxOutputTokens: 70 } }, 70],
    ["for each of the candidates, quoted", { maxOutputTokens: 70, candidateCount: "8" }, {}, 560],
    ["negative", { maxOutputTokens: -70 }, {}, 1_000],
  ])("Gemini's limit: %s", (_, config, more, most) => {
    expect(outputOf(gemini(config, more))).toBe(most);
  });
});

test("what a model is thought to make at most is no limit to what is asked of it", () => {
  const most = (asked: Demand, limit: number): number =>
    estimate({ limits, cost: () => 1, outputLimit: () => limit }, asked, rules).output;
  expect(most(chat({ max_tokens: 100_000 }), 8_192)).toBe(100_000);
  expect(most(chat({ max_tokens: 1e12 }), 8_192)).toBe(128_000);
  expect(most(chat({}), 8_192)).toBe(8_192);
  expect(most({ ...chat({}), targets: [{ provider: "p", model: "m", maxOutputTokens: 64_000 }] }, 8_192)).toBe(64_000);
});

describe("input", () => {
  test.each([
    ["digits", "1234567890".repeat(500), 5_000],
    ["digits beside a picture", `an image: ${"1234567890".repeat(500)}`, 5_000],
    ["digits in groups, beside a picture", `an image: ${`${"1234567890".repeat(6)} `.repeat(80)}`, 4_800],
    ["symbols beside a picture", `an image: ${"#$%^&*()!@".repeat(500)}`, 2_500],
    ["Chinese", "漢字仮名".repeat(500), 3_000],
  ])("%s", (_, text, least) => {
    expect(demand("openai-chat", say(text)).inputTokens()).toBeGreaterThanOrEqual(least);
  });

  const names = (wire: ClientWireId, body: object): number => demand(wire, { model: "p/m", ...body }).inputTokens();
  const user = (content: object): object => ({ messages: [{ role: "user", content: [content] }] });
  test.each([
    [
      "a document by address",
      names(
        "anthropic-messages",
        user({ type: "document", source: { type: "url", url: "https://example.com/long.pdf" } }),
      ),
    ],
    ["a file by id", names("openai-chat", user({ type: "file", file: { file_id: "file-1" } }))],
    [
      "a film by address",
      names("gemini-generate", {
        contents: [{ parts: [{ fileData: { fileUri: "https://example.com/film", mimeType: "video/mp4" } }] }],
      }),
    ],
    ["a cache", names("gemini-generate", { contents: [], cachedContent: "cachedContents/1" })],
    ["a kept prompt", names("openai-responses", { input: "Hello", prompt: { id: "pmpt_1" } })],
    ["what a search finds", names("openai-responses", { input: "Hello", tools: [{ type: "web_search" }] })],
  ])("%s is more than its name", (_, tokens) => {
    expect(tokens).toBeGreaterThan(40_000);
  });
});

test("a negative limit is no way around a budget", async () => {
  const folder = dataFolder();
  const gateway = await startGateway(
    `
auth: { keys: [{ name: ada, key: fake-key-of-ada-0123456789, tenant: acme }] }
providers: { echo: { pace: 0 } }
prices: { echo/echo: { input: 1, output: 1 } }
limits: { budgets: [{ by: key, amount: 0.0000001, per: total }] }
`,
    { HEDDLE_DATA: folder.path },
  );
  const answer = await fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer fake-key-of-ada-0123456789" },
    body: JSON.stringify({ model: "echo/echo", max_tokens: -100_000, messages: [{ role: "user", content: "Hello" }] }),
  });
  expect(answer.status).toBe(429);
  await gateway.stop();
  folder.remove();
});
