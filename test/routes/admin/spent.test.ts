// Administration meets limits and ledger: what calls spend is what budgets and usage tell, and a rule that is set holds at once.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../threads/client.ts";
import { dataOf, type Place, startAdmin, textAt } from "./client.ts";

let place: Place;
beforeAll(async () => {
  place = await startAdmin(`
prices: { echo/echo: { input: 1000000, output: 1000000 } }
limits: { budgets: [{ name: house, by: tenant, amount: 1000, per: month }] }
`);
});
afterAll(() => place.stop());

const say = async (key: string): Promise<{ status: number; dollars: number; code: unknown }> => {
  const response = await fetch(`${place.gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: "echo/echo",
      messages: [{ role: "user", content: "one two three" }],
      max_tokens: 5,
    }),
  });
  const body = (await response.json()) as { usage?: { total_tokens: number }; error?: { code: unknown } };
  // A dollar a token.
  return { status: response.status, dollars: body.usage?.total_tokens ?? 0, code: body.error?.code };
};

const usedOf = async (key: string): Promise<Record<string, unknown>> =>
  Object.fromEntries(
    dataOf(await place.as("operator").get(`/budgets?key=${key}`)).map(({ rule, used }) => [String(rule), used]),
  );

describe("what is spent", () => {
  test("shows in the budgets of tenant and key and in usage, and stops where a rule says so", async () => {
    const limits = { budgets: [{ amount: 500, per: "day" }] };
    const made = await place.as("admin").post("/keys", { name: "spender", limits });
    const [key, id] = [textAt(made, "key"), textAt(made, "id")];
    const first = await say(key);
    expect(first).toMatchObject({ status: 200, dollars: expect.any(Number) });
    expect(first.dollars).toBeGreaterThan(0);
    const spent = { house: first.dollars, own1: first.dollars };
    expect(
      await eventually(
        () => usedOf(id),
        (used) => used["own1"] === first.dollars,
      ),
    ).toEqual(spent);

    const tiny = { by: "user", amount: 0.5, per: "day", match: { users: ["spender"] } };
    expect((await place.as("admin").call("PUT", "/limits/budgets/tiny", tiny)).status).toBe(201);
    expect(await say(key)).toMatchObject({ status: 429, code: "insufficient_quota" });
    expect((await place.as("admin").call("DELETE", "/limits/budgets/tiny")).status).toBe(200);
    expect(await usedOf(id)).toEqual(spent);

    const reset = await place.as("admin").post("/budgets/reset", { rule: "own1", key: id });
    expect(reset.body).toMatchObject({ used: 0, remaining: 500 });
    expect(await usedOf(id)).toEqual({ house: first.dollars, own1: 0 });
    const usage = await place.as("operator").get("/usage?group_by=key");
    expect(usage.body).toMatchObject({ data: [{ key: id, key_name: "spender", requests: 1, cost: first.dollars }] });
  });
});
