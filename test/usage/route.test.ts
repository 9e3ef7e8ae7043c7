// GET /v1/admin/usage and its entries over HTTP: who sees what, sums as JSON and CSV, parameters that are wrong.
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isObject, type JsonObject } from "../../lib/model/json.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import { decimalDollars } from "../../lib/usage/decimal.ts";
import type { UsageEntry } from "../../lib/usage/entry.ts";
import { spendPartition } from "../../lib/usage/keys.ts";
import { dayMs, entryGroups, tenantOperation } from "../../lib/usage/operations.ts";
import { dataFolder, type DataFolder } from "../support/data.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { entry, options } from "./entries.ts";

const yaml = `
providers: { echo: { kind: echo } }
auth:
  keys:
    - { name: ada, key: canary-viewer-key-0123456789, tenant: acme, roles: [viewer] }
    - { name: ops, key: canary-operator-key-0123456789, tenant: acme, roles: [operator] }
    - { name: rival, key: canary-rival-key-0123456789, tenant: rival, roles: [admin] }
    - { name: root, key: canary-root-key-0123456789, tenant: root, roles: [admin], everywhere: true }
    - { name: caller, key: canary-caller-key-0123456789, tenant: acme, roles: [member], scopes: { actions: ["models:*"] } }
`;
type Who = "viewer" | "operator" | "rival" | "root" | "caller";

// Recent, as the gateway's own clock decides what is still kept; nothing is told by the time of day.
const today = Math.floor(Date.now() / dayMs) * dayMs;
const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
const from = day(today - 3 * dayMs);
const to = day(today);

const entries: UsageEntry[] = [
  entry({ at: today - 3 * dayMs, user: "ada", cost: 100_000_001, key: "k1", name: "old name" }),
  entry({ at: today - 2 * dayMs + 5, user: "ada", cost: 200_000_002, key: "k1", name: "new name" }),
  entry({
    at: today - 2 * dayMs + 7,
    user: "=HYPERLINK(1)",
    cost: 0,
    unpriced: true,
    status: 502,
    error: "overloaded",
  }),
  entry({ at: today - dayMs - 1, user: 'says "hi", twice', cost: 3, model: "@m" }),
  entry({
    at: today - dayMs,
    user: "ada",
    cost: 4,
    wire: "gemini-generate",
    usage: { input: 7, output: 2, reasoning: 1 },
  }),
  entry({ at: today - dayMs, tenant: "rival", user: "zoe", cost: 9_000_000_000 }),
];

let data: DataFolder;
let gateway: TestGateway;
beforeAll(async () => {
  data = dataFolder();
  const table = await openSqlite({ file: join(data.path, "heddle.db") });
  for (const tenant of ["acme", "rival"]) {
    const pk = spendPartition(tenant, 0);
    await table.transact(pk, [tenantOperation(tenant, 0)]);
    const own = entries.filter((each) => each.tenant === tenant);
    for (const operations of entryGroups(pk, own, options)) await table.transact(pk, operations);
  }
  await table.close();
  gateway = await startGateway(yaml, { HEDDLE_DATA: data.path });
});
afterAll(async () => {
  await gateway.stop();
  data.remove();
});

type Got = { status: number; headers: Headers; text: string; body: JsonObject };
const get = async (who: Who, path: string, headers: Record<string, string> = {}): Promise<Got> => {
  const answer = await fetch(`${gateway.url}/v1/admin/usage${path}`, {
    headers: { authorization: `Bearer canary-${who}-key-0123456789`, ...headers },
  });
  const text = await answer.text();
  const isJson = /json/.test(answer.headers.get("content-type") ?? "");
  const body: unknown = isJson ? JSON.parse(text) : {};
  return { status: answer.status, headers: answer.headers, text, body: isObject(body) ? body : {} };
};
const rows = ({ body }: Got): JsonObject[] => (Array.isArray(body["data"]) ? body["data"].filter(isObject) : []);

test("groups and a total; parts of days sum to the same as whole days", async () => {
  const got = await get("operator", `?from=${from}&to=${to}&group_by=day,key`);
  expect(got.status).toBe(200);
  expect(got.body).toMatchObject({
    object: "usage",
    from: `${from}T00:00:00.000Z`,
    to: `${to}T00:00:00.000Z`,
    group_by: ["day", "key"],
    total: {
      requests: 5,
      errors: 1,
      input_tokens: 47,
      cached_input_tokens: 0,
      cache_write_tokens: 0,
      output_tokens: 22,
      reasoning_tokens: 1,
      cost: 0.30000001,
      unpriced_requests: 1,
      estimated_requests: 0,
    },
  });
  expect(rows(got).map((row) => [row["day"], row["key"], row["key_name"], row["cost"]])).toEqual([
    [day(today - 3 * dayMs), "k1", "old name", 0.100000001],
    [day(today - 2 * dayMs), "k1", "new name", 0.200000002],
    [day(today - 2 * dayMs), "key_1", "build", 0.000000003],
    [day(today - dayMs), "key_1", "build", 0.000000004],
  ]);
  // The same time, cut in the middle of a day.
  const noon = new Date(today - 2 * dayMs + 6).toISOString();
  const early = await get("operator", `?from=${from}&to=${noon}`);
  const late = await get("operator", `?from=${noon}&to=${to}`);
  expect(early.body["total"]).toMatchObject({ requests: 2, cost: 0.300000003 });
  expect(late.body["total"]).toMatchObject({ requests: 3, cost: 0.000000007 });
  // One group a key, under the name it had last.
  const keys = await get("operator", `?from=${from}&to=${to}&group_by=key&key=k1`);
  expect(rows(keys)).toMatchObject([{ key: "k1", key_name: "new name", requests: 2, cost: 0.300000003 }]);
  const wires = await get("operator", `?from=${from}&to=${to}&group_by=wire`);
  expect(rows(wires).map((row) => [row["wire"], row["requests"]])).toEqual([
    ["openai-chat", 4],
    ["gemini-generate", 1],
  ]);
  const filtered = await get("operator", `?from=${from}&to=${to}&user=ada&provider=openai&model=gpt-5`);
  expect(filtered.body).toMatchObject({ data: [{ requests: 3 }], total: { requests: 3 } });
});

test("without a range: this month, to the end of today", async () => {
  const { body } = await get("operator", "");
  // Midnight may pass while the test runs.
  const last = [today, today + dayMs].find((each) => body["to"] === new Date(each + dayMs).toISOString());
  expect(last).toBeDefined();
  expect(body["from"]).toBe(`${day(last ?? 0).slice(0, 8)}01T00:00:00.000Z`);
  const { body: past } = await get("operator", "?to=2025-03-05");
  expect(past).toMatchObject({ from: "2025-03-01T00:00:00.000Z", data: [], total: { requests: 0 } });
});

test("CSV: one row a group, nothing that a spreadsheet would carry out, exact decimals", async () => {
  for (const got of [
    await get("operator", `?from=${from}&to=${to}&group_by=user&format=csv`),
    await get("operator", `?from=${from}&to=${to}&group_by=user`, { accept: "text/csv" }),
  ]) {
    expect(got.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(got.text).toBe(
      [
        "user,requests,errors,input_tokens,cached_input_tokens,cache_write_tokens,output_tokens,reasoning_tokens,cost,unpriced_requests,estimated_requests",
        "ada,3,0,27,0,0,12,1,0.300000007,0,0",
        '"says ""hi"", twice",1,0,10,0,0,5,0,0.000000003,0,0',
        "'=HYPERLINK(1),1,1,10,0,0,5,0,0,1,0",
        "",
      ].join("\r\n"),
    );
  }
  const listed = await get("operator", `/entries?from=${from}&to=${to}&format=csv&limit=2`);
  const lines = listed.text.split("\r\n");
  expect(lines).toHaveLength(4);
  expect(lines[0]).toMatch(/^id,at,tenant,key,key_name,user,/);
  expect(lines[2]).toContain(",'@m,");
  expect(listed.headers.get("heddle-next-cursor")).not.toBeNull();
  expect(decimalDollars(0)).toBe("0");
  expect(decimalDollars(1)).toBe("0.000000001");
  expect(decimalDollars(12_000_000_000)).toBe("12");
  expect(decimalDollars(9_007_199_254_740_991)).toBe("9007199.254740991");
});

test("entries: newest first, in pages, an unknown price as null (F37)", async () => {
  const ids: unknown[] = [];
  let cursor = "";
  let pages = 0;
  do {
    const got = await get("operator", `/entries?from=${from}&to=${to}&limit=2&cursor=${cursor}`);
    expect(got.status).toBe(200);
    ids.push(...rows(got).map((row) => row["id"]));
    const next = got.body["next_cursor"];
    expect(got.body["has_more"]).toBe(typeof next === "string");
    cursor = typeof next === "string" ? next : "";
    pages += 1;
  } while (cursor !== "" && pages < 10);
  expect(pages).toBe(3);
  const own = entries.filter(({ tenant }) => tenant === "acme");
  expect(ids).toEqual(own.map(({ id }) => id).toReversed());
  const failed = rows(await get("operator", `/entries?from=${from}&to=${to}&user=%3DHYPERLINK(1)`));
  expect(failed).toMatchObject([
    { object: "usage.entry", cost: null, status: 502, error: "overloaded", requested_model: "fast" },
  ]);
});

describe("who sees what", () => {
  const range = `from=${from}&to=${to}`;

  test("usage:read alone: one's own usage, whatever is asked", async () => {
    const own = await get("viewer", `?${range}&group_by=user`);
    expect(rows(own)).toMatchObject([{ user: "ada", requests: 3 }]);
    expect(own.body["total"]).toMatchObject({ requests: 3 });
    expect(rows(await get("viewer", `/entries?${range}`)).map((row) => row["user"])).toEqual(["ada", "ada", "ada"]);
    for (const path of ["", "/entries"])
      for (const wrong of ["user=zoe", "tenant=rival", "tenant=*"]) {
        const refused = await get("viewer", `${path}?${range}&${wrong}`);
        expect(refused.status).toBe(403);
        expect(refused.body).toMatchObject({ code: "permission", param: wrong.split("=")[0] });
      }
  });

  test("a tenant sees nothing of another's", async () => {
    for (const path of ["", "/entries"])
      for (const tenant of ["rival", "*", "root"]) {
        const refused = await get("operator", `${path}?${range}&tenant=${tenant}`);
        expect(refused.status).toBe(403);
        expect(refused.text).not.toContain("zoe");
      }
    const rival = await get("rival", `?${range}&group_by=tenant,user`);
    expect(rows(rival)).toMatchObject([{ tenant: "rival", user: "zoe", requests: 1, cost: 9 }]);
    expect(rows(await get("rival", `?${range}&user=ada`))).toEqual([]);
    // A page's end in one tenant leads nowhere in another.
    const { next_cursor: next } = (await get("operator", `/entries?${range}&limit=1`)).body;
    const { text, status } = await get("rival", `/entries?${range}&cursor=${typeof next === "string" ? next : "none"}`);
    expect(status).toBe(200);
    expect(text).not.toContain("ada");
  });

  test("who administers every tenant sees one of them, or all", async () => {
    expect(rows(await get("root", `?${range}`))).toEqual([]);
    expect((await get("root", `?${range}&tenant=acme`)).body["total"]).toMatchObject({ requests: 5 });
    expect(rows(await get("root", `?${range}&tenant=*&group_by=tenant`))).toMatchObject([
      { tenant: "rival", cost: 9 },
      { tenant: "acme", requests: 5 },
    ]);
    const all = rows(await get("root", `/entries?${range}&tenant=*`));
    expect(all.map((row) => row["tenant"])).toEqual(["acme", "rival", "acme", "acme", "acme", "acme"]);
  });

  test("a key whose scope leaves usage out is refused", async () => {
    expect((await get("caller", `?${range}`)).status).toBe(403);
    expect((await get("caller", `/entries?${range}`)).status).toBe(403);
  });
});

test.each([
  ["?from=yesterday", "from"],
  ["?from=2026-02-30", "from"],
  ["?from=2026-02-01T00:00", "from"],
  ["?to=2026-13-01", "to"],
  ["?from=2026-02-02&to=2026-02-01", "from"],
  ["?from=2026-02-02&to=2026-02-02", "from"],
  ["?from=2001-01-01&to=2026-01-01", "from"],
  ["?group_by=colour", "group_by"],
  ["?format=xml", "format"],
  ["?groupby=day", "groupby"],
  ["?user=a&user=b", "user"],
  [`?user=${"u".repeat(3_000)}`, "user"],
  ["?from=2020-01-01T10:00:00Z&to=2020-02-01", "from"],
  ["/entries?limit=0", "limit"],
  ["/entries?limit=9999", "limit"],
  ["/entries?cursor=abc", "cursor"],
  ["/entries?group_by=day", "group_by"],
])("%s is refused by the name of the parameter", async (path, param) => {
  const got = await get("operator", path);
  expect(got.status).toBe(400);
  expect(got.headers.get("content-type")).toContain("application/problem+json");
  expect(got.body).toMatchObject({ code: "invalid_request", param });
});

test("where nothing is kept there is no usage", async () => {
  const bare = await startGateway();
  const answer = await fetch(`${bare.url}/v1/admin/usage`);
  expect(answer.status).toBe(501);
  await bare.stop();
});
