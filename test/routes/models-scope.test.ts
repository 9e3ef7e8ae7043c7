// The model list shows what its reader may call, no more.
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway(`
providers:
  echo: { models: [one, two] }
models: { first: echo/one, mixed: { targets: [echo/one, echo/two] } }
auth:
  keys:
    - { name: all, key: canary-key-of-all-models }
    - { name: target, key: canary-key-of-a-target, scopes: { models: [echo/one] } }
    - { name: alias, key: canary-key-of-an-alias, scopes: { models: [mixed] } }
    - { name: none, key: canary-key-of-no-models, scopes: { models: [] } }
    - { name: member, key: canary-key-of-a-member, roles: [member] }
`);
});
afterAll(() => gateway.stop());

const ask = async (key: string, path: string, method = "GET"): Promise<{ status: number; ids: string[] }> => {
  const response = await fetch(`${gateway.url}${path}`, { method, headers: { authorization: `Bearer ${key}` } });
  const body = (await response.json()) as { data?: { id: string }[] };
  return { status: response.status, ids: (body.data ?? []).map(({ id }) => id) };
};

test("by target: also the aliases that lead nowhere else", async () => {
  expect((await ask("canary-key-of-all-models", "/v1/models")).ids).toEqual(
    expect.arrayContaining(["first", "mixed", "echo/one", "echo/two"]),
  );
  expect((await ask("canary-key-of-a-target", "/v1/models")).ids.toSorted()).toEqual(["echo/one", "first"]);
  expect((await ask("canary-key-of-an-alias", "/v1/models")).ids).toEqual(["mixed"]);
  expect((await ask("canary-key-of-no-models", "/v1/models")).ids).toEqual([]);
});

test("one that is out of scope is as one that is not there", async () => {
  const get = async (id: string): Promise<{ status: number; text: string }> => {
    const headers = { authorization: "Bearer canary-key-of-a-target" };
    const response = await fetch(`${gateway.url}/v1/models/${id}`, { headers });
    return { status: response.status, text: (await response.text()).replaceAll(id, "ID") };
  };
  expect((await get("echo/one")).status).toBe(200);
  expect(await get("echo/two")).toEqual(await get("echo/six"));
  expect((await get("mixed")).status).toBe(404);
});

test("to make providers be asked anew takes an operator", async () => {
  expect((await ask("canary-key-of-a-member", "/v1/models/refresh", "POST")).status).toBe(403);
  expect((await ask("canary-key-of-a-target", "/v1/models/refresh", "POST")).status).toBe(200);
});
