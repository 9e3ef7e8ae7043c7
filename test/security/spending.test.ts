// Nobody spends more than they may: calls over HTTP to two gateways on one store, and a provider that counts who reaches it.
import { afterEach, beforeEach, expect, test } from "vitest";
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
