// Nobody spends more than they may: calls over HTTP to two gateways on one store, and a provider that counts who reaches it.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DataFolder, dataFolder } from "../support/data.ts";
import { startGateway, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { chat, providerOf, startProvider, statuses } from "./support.ts";

let folder: DataFolder;
let provider: TestUpstream;
let gateways: TestGateway[];
beforeEach(async () => {
  folder = dataFolder();
  provider = await startProvider();
  gateways = [];
});
afterEach(async () => {
  for (const gateway of gateways) await gateway.stop();
  await provider.stop();
  folder.remove();
});

const ada = "fake-key-of-ada-0123456789";

/** A hundred tokens of the model `m` are a hundredth of a cent, and `free` costs nothing. */
const start = async (limits: string): Promise<[TestGateway, TestGateway]> => {
  const yaml = `
providers: { ${providerOf(provider)} }
prices:
  local/m: { input: 0, output: 1 }
  local/n: { input: 0, output: 1 }
  local/free: { input: 0, output: 0 }
  local/picture: { input: 0, output: 1 }
auth: { keys: [{ name: ada, key: ${ada}, tenant: acme }] }
limits: ${limits}
`;
  const env = { HEDDLE_DATA: folder.path };
  const both: [TestGateway, TestGateway] = [await startGateway(yaml, env), await startGateway(yaml, env)];
  gateways.push(...both);
  return both;
};

test("forty calls at once to two instances, by a caller nobody has seen before, over a budget for ten: ten are answered, and no other reaches the provider (F38)", async () => {
  const both = await start("{ budgets: [{ by: key, amount: 0.001, per: total }] }");
  const answers = await Promise.all(Array.from({ length: 40 }, (_, at) => chat(both[at % 2 === 0 ? 0 : 1], ada)));
  expect(statuses(answers)).toEqual({ 200: 10, 429: 30 });
  expect(provider.requests).toHaveLength(10);
  for (const { status, text } of answers) if (status === 429) expect(text).toContain("insufficient_quota");
  // Nothing of what the ten reserved has come back since: they cost all of it.
  for (const gateway of both) expect((await chat(gateway, ada)).status).toBe(429);
  expect(provider.requests).toHaveLength(10);
});

test("what a limit refuses at one instance takes nothing of the other limits, at either (F39)", async () => {
  const both = await start(`
  rates:
    - { name: all, by: key, requestsPerMinute: 10 }
    - { name: few, by: model, requestsPerMinute: 2, match: { models: [local/m] } }`);
  const answers = await Promise.all(Array.from({ length: 8 }, (_, at) => chat(both[at % 2 === 0 ? 0 : 1], ada)));
  expect(statuses(answers)).toEqual({ 200: 2, 429: 6 });
  expect(provider.requests).toHaveLength(2);
  // Ten less two and this one. Had the refused ones counted, it would be one at most.
  const next = await chat(both[1], ada, { model: "local/n" });
  expect(next.status).toBe(200);
  const left = /"all-requests";r=(\d+)/.exec(next.headers.get("ratelimit") ?? "")?.[1];
  expect(Number(left)).toBeGreaterThanOrEqual(7);
});

test("a rate for five lets five of twenty calls at two instances through (F39)", async () => {
  const both = await start("{ rates: [{ by: key, requestsPerMinute: 5 }] }");
  const answers = await Promise.all(Array.from({ length: 20 }, (_, at) => chat(both[at % 2 === 0 ? 0 : 1], ada)));
  expect(statuses(answers)).toEqual({ 200: 5, 429: 15 });
  expect(provider.requests).toHaveLength(5);
});

test("who has spent a budget still calls models that are free (F40)", async () => {
  const both = await start("{ budgets: [{ by: tenant, amount: 0.0002, per: day }] }");
  const [gateway] = both;
  for (const expected of [200, 200, 429]) expect((await chat(gateway, ada)).status).toBe(expected);
  expect(provider.requests).toHaveLength(2);
  for (const each of both) expect((await chat(each, ada, { model: "local/free" })).status).toBe(200);
  expect(provider.requests).toHaveLength(4);
  expect((await chat(gateway, ada)).status).toBe(429);
});

describe("no wording of a call reserves less than it may cost, so that nobody passes a budget beside others", () => {
  const claude = "/v1/messages";
  const gemini = "/v1beta/models/local/m:generateContent";
  const contents = [{ role: "user", parts: [{ text: "Hello" }] }];
  const said = [{ role: "user", content: "Hello" }];
  const completions = "/v1/chat/completions";
  test.each<[what: string, path: string, body: object | string]>([
    ["another field that says less", completions, { messages: said, max_completion_tokens: 1, max_tokens: 5_000 }],
    ["another wire's field that says less", claude, { messages: said, max_completion_tokens: 1, max_tokens: 5_000 }],
    ["a number below nothing", completions, { messages: said, max_tokens: -1 }],
    ["nothing at all", completions, { messages: said, max_tokens: 0 }],
    ["a number as a text", completions, { messages: said, max_tokens: "5000" }],
    ["many answers", completions, { messages: said, max_tokens: 100, n: 11 }],
    ["many answers, as a text", completions, { messages: said, max_tokens: 100, n: "11" }],
    ["many answers of which one is told", completions, { messages: said, max_tokens: 100, best_of: 11 }],
    ["a field twice", completions, `"messages":${JSON.stringify(said)},"max_tokens":1,"max_tokens":5000`],
    [
      "both spellings",
      gemini,
      { contents, generationConfig: { maxOutputTokens: 5e3 }, generation_config: { maxOutputTokens: 1 } },
    ],
    ["many candidates", gemini, { contents, generationConfig: { maxOutputTokens: 100, candidateCount: 11 } }],
  ])("%s", async (_what, path, body) => {
    const [gateway] = await start("{ budgets: [{ by: key, amount: 0.001, per: total }] }");
    const text =
      typeof body === "string" ? `{"model":"local/m",${body}}` : JSON.stringify({ model: "local/m", ...body });
    const answer = await fetch(`${gateway.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${ada}` },
      body: text,
    });
    expect(answer.status, await answer.text()).toBe(429);
    expect(provider.requests).toEqual([]);
  });

  test("a run without end", async () => {
    const [gateway] = await start("{ budgets: [{ by: key, amount: 0.001, per: total }] }");
    for (const max_tokens of [-1, 0, 5_000]) {
      const answer = await chat(gateway, ada, { max_tokens }, { "heddle-thread": "new" });
      expect([400, 429], answer.text).toContain(answer.status);
    }
    expect(provider.requests).toEqual([]);
    expect((await chat(gateway, ada, {}, { "heddle-thread": "new" })).status).toBe(200);
  });

  test("many pictures", async () => {
    const [gateway] = await start("{ budgets: [{ by: key, amount: 0.01, per: total }] }");
    const draw = (n: number): Promise<Response> =>
      fetch(`${gateway.url}/v1/images/generations`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${ada}` },
        body: JSON.stringify({ model: "local/picture", prompt: "A house", n }),
      });
    expect((await draw(2)).status).toBe(429);
    expect(provider.requests).toEqual([]);
    expect((await draw(1)).status).not.toBe(429);
  });
});
