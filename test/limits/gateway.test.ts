// Limits as callers meet them: over HTTP, on every wire, with the headers and the errors that their SDKs read.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import { type DataFolder, dataFolder } from "../support/data.ts";
import { startGateway, type TestGateway, until } from "../support/gateway.ts";

let folder: DataFolder;
let gateway: TestGateway;
beforeEach(() => {
  folder = dataFolder();
});
afterEach(async () => {
  await gateway.stop();
  folder.remove();
});

const keys = `
auth:
  keys:
    - { name: ada, key: fake-key-of-ada-0123456789, tenant: acme }
    - { name: bob, key: fake-key-of-bob-0123456789, tenant: acme }
    - { name: eve, key: fake-key-of-eve-0123456789, tenant: other }
providers:
  echo: { pace: 0 }
prices:
  echo/echo: { input: 1, output: 1 }
`;

const start = async (limits: string): Promise<void> => {
  gateway = await startGateway(`${keys}${limits}`, { HEDDLE_DATA: folder.path });
};

const wires = {
  "openai-chat": {
    path: "/v1/chat/completions",
    body: { model: "echo/echo", max_tokens: 50, messages: [{ role: "user", content: "Hello" }] },
  },
  "openai-responses": {
    path: "/v1/responses",
    body: { model: "echo/echo", max_output_tokens: 50, store: false, input: "Hello" },
  },
  "anthropic-messages": {
    path: "/v1/messages",
    body: { model: "echo/echo", max_tokens: 50, messages: [{ role: "user", content: "Hello" }] },
  },
  "gemini-generate": {
    path: "/v1beta/models/echo/echo:generateContent",
    body: { generationConfig: { maxOutputTokens: 50 }, contents: [{ role: "user", parts: [{ text: "Hello" }] }] },
  },
} as const;
type WireName = keyof typeof wires;
const names = Object.keys(wires) as WireName[];

const post = (wire: WireName, who = "ada", more: object = {}): Promise<Response> =>
  fetch(`${gateway.url}${wires[wire].path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer fake-key-of-${who}-0123456789` },
    body: JSON.stringify({ ...wires[wire].body, ...more }),
  });

describe.each(names)("%s", (wire) => {
  test("an answer tells what is left, in the standard's headers and in those of the wire", async () => {
    await start("limits: { rates: [{ name: app, by: key, requestsPerMinute: 10, tokensPerMinute: 100000 }] }");
    const answer = await post(wire);
    expect(answer.status).toBe(200);
    await answer.text();
    expect(answer.headers.get("ratelimit-policy")).toBe('"app-requests";q=10;w=60, "app-tokens";q=100000;w=60');
    expect(answer.headers.get("ratelimit")).toMatch(/^"app-requests";r=9;t=6, "app-tokens";r=\d+;t=1$/);
    const own = [...answer.headers.keys()].filter((name) => /^(?:x|anthropic)-ratelimit/.test(name));
    if (wire === "anthropic-messages") {
      expect(answer.headers.get("anthropic-ratelimit-requests-limit")).toBe("10");
      expect(answer.headers.get("anthropic-ratelimit-requests-remaining")).toBe("9");
      expect(answer.headers.get("anthropic-ratelimit-requests-reset")).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(answer.headers.get("anthropic-ratelimit-tokens-limit")).toBe("100000");
    } else if (wire === "gemini-generate") expect(own).toEqual([]);
    else {
      expect(answer.headers.get("x-ratelimit-limit-requests")).toBe("10");
      expect(answer.headers.get("x-ratelimit-remaining-requests")).toBe("9");
      expect(answer.headers.get("x-ratelimit-reset-requests")).toMatch(/^(?:6s|5\.\d+s|\d+ms)$/);
      expect(answer.headers.get("x-ratelimit-limit-tokens")).toBe("100000");
    }
  });

  test("who is too fast gets the wire's rate-limit error, with the time to wait; another key goes on", async () => {
    await start("limits: { rates: [{ by: key, requestsPerMinute: 1 }] }");
    expect((await post(wire)).status).toBe(200);
    const refused = await post(wire);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(50);
    const text = await refused.text();
    expect(text).toContain("1 requests a minute for this key");
    const error = (JSON.parse(text) as { error: Record<string, unknown> }).error;
    if (wire === "anthropic-messages") expect(error["type"]).toBe("rate_limit_error");
    else if (wire === "gemini-generate") expect(error).toMatchObject({ code: 429, status: "RESOURCE_EXHAUSTED" });
    else expect(error).toMatchObject({ type: "requests", code: "rate_limit_exceeded" });
    expect((await post(wire, "bob")).status).toBe(200);
  });

  test("who has no money left gets the wire's quota error before any provider is asked, and a long time to wait", async () => {
    await start("limits: { budgets: [{ by: tenant, amount: 0.0000001, per: day }] }");
    const refused = await post(wire);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    const { error } = (await refused.json()) as { error: Record<string, unknown> };
    if (wire === "anthropic-messages") expect(error["type"]).toBe("rate_limit_error");
    else if (wire === "gemini-generate") expect(error).toMatchObject({ code: 429, status: "RESOURCE_EXHAUSTED" });
    else expect(error).toMatchObject({ type: "insufficient_quota", code: "insufficient_quota" });
    expect(gateway.logs.at(-1)).toMatchObject({ attempts: 0, error: "quota_exceeded" });
  });

  test("a stream is settled at its end: the count, the day's sum and the answer's own usage agree", async () => {
    await start("limits: { budgets: [{ name: b, by: key, amount: 1, per: total }] }");
    const more = wire === "gemini-generate" ? {} : { stream: true };
    const path =
      wire === "gemini-generate"
        ? wires[wire].path.replace("generateContent", "streamGenerateContent?alt=sse")
        : wires[wire].path;
    const answer = await fetch(`${gateway.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer fake-key-of-ada-0123456789" },
      body: JSON.stringify({ ...wires[wire].body, ...more }),
    });
    expect(answer.status).toBe(200);
    await answer.text();
    await until(() => gateway.logs.some(({ message }) => message === "call"), "the call's record");
    const cost = gateway.logs.find(({ message }) => message === "call")?.["cost"] as number;
    await gateway.stop();
    const table = await openSqlite({ file: `${folder.path}/heddle.db` });
    const { items } = await table.query({ pk: "acme/spend/0" });
    const counted = items.find(({ sk }) => sk.startsWith("l:key:"))?.data;
    const rolled = items.find(({ sk }) => sk.startsWith("d:"))?.data;
    expect(counted?.["b:b:total"]).toBe(Math.round(cost * 1e9));
    expect(rolled).toMatchObject({ cost: Math.round(cost * 1e9), requests: 1, name: "ada" });
    expect(Object.keys(counted ?? {}).filter((field) => field.startsWith("~"))).toEqual([]);
    await table.close();
    await start("");
  });
});

test("the official SDKs understand both refusals", async () => {
  await start(
    "limits: { rates: [{ by: key, requestsPerMinute: 1, match: { keys: [ada] } }], budgets: [{ by: key, amount: 0, per: total, match: { keys: [bob] } }] }",
  );
  const openai = (who: string): OpenAI =>
    new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: `fake-key-of-${who}-0123456789`, maxRetries: 0 });
  const chat = (client: OpenAI): Promise<unknown> =>
    client.chat.completions.create({ model: "echo/echo", max_tokens: 20, messages: [{ role: "user", content: "Hi" }] });
  await chat(openai("ada"));
  await expect(chat(openai("ada"))).rejects.toThrow(OpenAI.RateLimitError);
  await expect(chat(openai("bob"))).rejects.toMatchObject({ status: 429, code: "insufficient_quota" });
  const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: "fake-key-of-bob-0123456789", maxRetries: 2 });
  // It is told not to try again: no time passes.
  await expect(
    anthropic.messages.create({ model: "echo/echo", max_tokens: 20, messages: [{ role: "user", content: "Hi" }] }),
  ).rejects.toThrow(Anthropic.RateLimitError);
});

test("a run on a thread is refused before anything of it is written, and settled when it has ended", async () => {
  await start(
    "limits: { budgets: [{ name: b, by: key, amount: 1, per: total }], rates: [{ by: key, requestsPerMinute: 2 }] }",
  );
  const send = (path: string, body: object, method = "POST"): Promise<Response> =>
    fetch(`${gateway.url}${path}`, {
      method,
      headers: { "content-type": "application/json", authorization: "Bearer fake-key-of-ada-0123456789" },
      ...(method === "GET" ? {} : { body: JSON.stringify(body) }),
    });
  const thread = (await (await send("/v1/threads", {})).json()) as { id: string };
  const headers = {
    "content-type": "application/json",
    authorization: "Bearer fake-key-of-ada-0123456789",
    "heddle-thread": thread.id,
  };
  const turn = (): Promise<Response> =>
    fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers,
      body: JSON.stringify(wires["openai-chat"].body),
    });
  for (let at = 0; at < 2; at += 1) {
    const answer = await turn();
    expect(answer.status).toBe(200);
    expect(answer.headers.get("x-ratelimit-remaining-requests")).toBe(String(1 - at));
    await answer.text();
  }
  const refused = await turn();
  expect(refused.status).toBe(429);
  const messages = (await (await send(`/v1/threads/${thread.id}/messages`, {}, "GET")).json()) as { data: unknown[] };
  expect(messages.data).toHaveLength(4);
  await until(() => gateway.logs.filter(({ operation }) => operation === "run").length === 2, "two runs");
  await gateway.stop();
  const table = await openSqlite({ file: `${folder.path}/heddle.db` });
  const { items } = await table.query({ pk: "acme/spend/0" });
  const counted = items.find(({ sk }) => sk.startsWith("l:key:"))?.data["b:b:total"];
  const rolled = items.find(({ sk }) => sk.startsWith("d:"))?.data;
  expect(counted).toBe(rolled?.["cost"]);
  expect(rolled?.["requests"]).toBe(2);
  expect(counted).toBeGreaterThan(0);
  await table.close();
  await start("");
});

test("the ledger has calls without limits too, under their tenant", async () => {
  await start("");
  for (const who of ["ada", "ada", "eve"]) await (await post("openai-chat", who)).text();
  await gateway.stop();
  const table = await openSqlite({ file: `${folder.path}/heddle.db` });
  const requests = async (tenant: string): Promise<unknown[]> =>
    (await table.query({ pk: `${tenant}/spend/0`, prefix: "d:" })).items.map(({ data }) => data["requests"]);
  expect([await requests("acme"), await requests("other")]).toEqual([[2], [1]]);
  await table.close();
  await start("");
});
