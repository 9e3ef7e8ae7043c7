// The model list as each client reads it, page by page, and one model of it.
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jsonAnswer, startGateway, startUpstream, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { providersYaml, rawWires } from "../support/wires.ts";

const claude = {
  type: "model",
  id: "claude-x",
  display_name: "Claude X",
  created_at: "2026-01-02T03:04:05Z",
  max_input_tokens: 200_000,
  max_tokens: 64_000,
  capabilities: { novel: { supported: true } },
};
const gemini = {
  name: "models/gemini-x",
  version: "9",
  displayName: "Gemini X",
  inputTokenLimit: 1_000_000,
  outputTokenLimit: 65_536,
  supportedGenerationMethods: ["generateContent", "novelMethod"],
  thinking: true,
};
let gpts = ["gpt-a", "gpt-b"];

let upstream: TestUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream((request, response) => {
    const answer = request.url.startsWith("/v1beta/")
      ? { models: [gemini] }
      : "x-api-key" in request.headers
        ? { data: [claude], has_more: false, first_id: "claude-x", last_id: "claude-x" }
        : {
            object: "list",
            data: gpts.map((id) => ({ id, object: "model", created: 1_700_000_000, owned_by: "openai" })),
          };
    return jsonAnswer(200, answer)(request, response);
  });
  gateway = await startGateway(`${providersYaml(upstream.url)}
  broken: { kind: openai-compatible, baseUrl: "http://127.0.0.1:1/v1", models: [named] }
  echo: { kind: echo }
models: { fast: openai/gpt-a }`);
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

/** Every model that any of the providers has, aliases first; one that is down shows what the configuration names. */
const some = [
  "fast",
  "anthropic/claude-x",
  "openai/gpt-a",
  "openai/gpt-b",
  "gemini/gemini-x",
  "broken/named",
  "echo/echo",
];
const anthropic = (): Anthropic => new Anthropic({ apiKey: "fake", baseURL: gateway.url, maxRetries: 0 });
const openai = (): OpenAI => new OpenAI({ apiKey: "fake", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
const google = (): GoogleGenAI => new GoogleGenAI({ apiKey: "fake", httpOptions: { baseUrl: gateway.url } });

describe("openai", () => {
  test("lists and retrieves", async () => {
    const ids: string[] = [];
    for await (const model of openai().models.list()) {
      ids.push(model.id);
      expect(model).toMatchObject({ object: "model", created: expect.any(Number), owned_by: expect.any(String) });
    }
    expect(ids).toEqual(expect.arrayContaining(some));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[0]).toBe("fast");
    expect(await openai().models.retrieve("openai/gpt-a")).toEqual({
      id: "openai/gpt-a",
      object: "model",
      created: 1_700_000_000,
      owned_by: "openai",
    });
    expect((await openai().models.retrieve("gpt-b")).id).toBe("openai/gpt-b");
    expect((await openai().models.retrieve("fast")).owned_by).toBe("heddle");
  });

  test("a model that there is not", async () => {
    await expect(openai().models.retrieve("nobody/none")).rejects.toMatchObject({
      status: 404,
      code: "model_not_found",
      param: "model",
    });
  });
});

describe("anthropic", () => {
  test.each([1, 2, 3, 1_000])("lists by pages of %i", async (limit) => {
    const ids: string[] = [];
    for await (const model of anthropic().models.list({ limit })) {
      ids.push(model.id);
      expect(model).toMatchObject({
        type: "model",
        display_name: expect.any(String),
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      });
    }
    expect(ids).toEqual(expect.arrayContaining(some));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("pages backwards", async () => {
    const all: string[] = [];
    for await (const model of anthropic().models.list({ limit: 1_000 })) all.push(model.id);
    const last = await anthropic().models.list({ limit: 2, before_id: all.at(-1)! });
    expect(last.data.map((model) => model.id)).toEqual(all.slice(-3, -1));
    expect(last).toMatchObject({ has_more: true, first_id: all.at(-3), last_id: all.at(-2) });
    const next = await last.getNextPage();
    expect(next.data.map((model) => model.id)).toEqual(all.slice(-5, -3));
    const first = await anthropic().models.list({ limit: 5, before_id: all[1]! });
    expect(first.data.map((model) => model.id)).toEqual(all.slice(0, 1));
    expect(first.has_more).toBe(false);
  });

  test("a page that follows a model which is gone is refused, not begun again", async () => {
    for (const query of [{ after_id: "gone" }, { before_id: "gone" }])
      await expect(anthropic().models.list(query)).rejects.toMatchObject({
        status: 400,
        error: { error: { type: "invalid_request_error" } },
      });
  });

  test("retrieves, the provider's own fields among it", async () => {
    expect(await anthropic().models.retrieve("anthropic/claude-x")).toMatchObject({
      ...claude,
      id: "anthropic/claude-x",
    });
    expect(await anthropic().models.retrieve("gemini/gemini-x")).toMatchObject({
      display_name: "Gemini X",
      max_input_tokens: 1_000_000,
      max_tokens: 65_536,
    });
    expect(await anthropic().models.retrieve("fast")).toMatchObject({ max_input_tokens: null, max_tokens: null });
    await expect(anthropic().models.retrieve("none")).rejects.toMatchObject({
      status: 404,
      error: { type: "error", error: { type: "not_found_error" } },
    });
  });
});

describe("google", () => {
  test.each([1, 3, 50])("lists by pages of %i", async (pageSize) => {
    const names: string[] = [];
    for await (const model of await google().models.list({ config: { pageSize } })) {
      names.push(model.name ?? "");
      expect(model.supportedActions).toContain("generateContent");
    }
    expect(names).toEqual(expect.arrayContaining(some.map((id) => `models/${id}`)));
    expect(new Set(names).size).toBe(names.length);
  });

  test("retrieves, the provider's own fields among it", async () => {
    const model = await google().models.get({ model: "models/gemini/gemini-x" });
    expect(model).toMatchObject({
      name: "models/gemini/gemini-x",
      displayName: "Gemini X",
      version: "9",
      inputTokenLimit: 1_000_000,
      outputTokenLimit: 65_536,
    });
    expect(await google().models.get({ model: "anthropic/claude-x" })).toMatchObject({ inputTokenLimit: 200_000 });
    await expect(google().models.get({ model: "none" })).rejects.toMatchObject({ status: 404 });
  });

  test("a page token that none gave is refused", async () => {
    const response = await fetch(`${gateway.url}/v1beta/models?pageToken=-1`);
    expect(response.status).toBe(400);
    rawWires["gemini-generate"].envelope(await response.json());
  });
});

test.each([
  ["nothing", {}, "", "data"],
  ["a bearer token", { authorization: "Bearer fake" }, "", "object"],
  ["Anthropic's version", { "anthropic-version": "2023-06-01" }, "", "has_more"],
  ["Google's key", { "x-goog-api-key": "fake" }, "", "models"],
  ["Google's key in the query", {}, "?key=fake", "models"],
])("GET /v1/models with %s answers in its shape", async (_name, headers, query, field) => {
  const response = await fetch(`${gateway.url}/v1/models${query}`, { headers });
  expect(await response.json()).toHaveProperty(field);
});

test("POST /v1/models/refresh asks the providers again", async () => {
  const idsOf = async (): Promise<string[]> => (await openai().models.list()).data.map((model) => model.id);
  await idsOf();
  gpts = [...gpts, "gpt-new"];
  expect(await idsOf()).not.toContain("openai/gpt-new");
  const refreshed = await fetch(`${gateway.url}/v1/models/refresh`, { method: "POST" });
  expect(refreshed.status).toBe(200);
  const body = (await refreshed.json()) as { object: string; data: { id: string }[] };
  expect(body.object).toBe("list");
  expect(body.data.map((model) => model.id)).toContain("openai/gpt-new");
  expect(await idsOf()).toContain("openai/gpt-new");
});

test("all of it needs a key where keys are configured", async () => {
  const locked = await startGateway("auth: { keys: [{ name: one, key: fake-key-of-sixteen }] }");
  for (const [path, method] of [
    ["/v1/models", "GET"],
    ["/v1/models/echo", "GET"],
    ["/v1beta/models", "GET"],
    ["/v1/models/refresh", "POST"],
  ] as const) {
    expect([path, (await fetch(locked.url + path, { method })).status]).toEqual([path, 401]);
    const headers = { authorization: "Bearer fake-key-of-sixteen" };
    expect([path, (await fetch(locked.url + path, { method, headers })).status]).toEqual([path, 200]);
  }
  await locked.stop();
});
