// A store that fails and comes back, under a gateway that callers reach over HTTP: what it answers meanwhile is what the configuration says,
// readiness says the same, and nobody has to start it again.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHttpServer } from "../../functions/local/http.ts";
import { openFileBlobs } from "../../lib/blobs/files.ts";
import { loadConfig } from "../../lib/config.ts";
import { createGateway } from "../../lib/gateway.ts";
import { createUndiciTransport } from "../../lib/http/undici-transport.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { systemClock } from "../../lib/routing/retry.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import type { Table } from "../../lib/stores/table.ts";
import { createLog } from "../../lib/telemetry/log.ts";
import { type DataFolder, dataFolder } from "../support/data.ts";
import type { TestUpstream } from "../support/gateway.ts";
import { admin, pepper } from "../support/keys.ts";
import { chat, providerOf, type Said, said, startProvider, statuses } from "./support.ts";

let folder: DataFolder;
let provider: TestUpstream;
const tidy: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = dataFolder();
  provider = await startProvider();
});
afterEach(async () => {
  for (const each of tidy.splice(0).toReversed()) await each();
  await provider.stop();
  folder.remove();
});

const fails = (): never => {
  throw new GatewayError("storage", "The store is down.");
};

/** Every method of it fails while `isDown`. */
const breakable = (table: Table): { table: Table; isDown: (down: boolean) => void } => {
  let down = false;
  const guarded = Object.entries(table).map(([name, value]): [string, unknown] => {
    if (typeof value !== "function" || name === "close") return [name, value];
    const method = (value as (...of: unknown[]) => unknown).bind(table);
    return [name, async (...of: unknown[]): Promise<unknown> => (down ? fails() : method(...of))];
  });
  return {
    table: Object.fromEntries(guarded) as unknown as Table,
    isDown: (now) => {
      down = now;
    },
  };
};

const plain = "fake-key-of-the-plain-one-0123";
const limited = "fake-key-of-the-limited-one-01";

const start = async (settings: string, auth = "") => {
  const yaml = `
providers: { ${providerOf(provider)} }
prices:
  local/m: { input: 0, output: 1 }
  local/free: { input: 0, output: 0 }
auth:
  mode: keys
  keys:
    - { name: plain, key: ${plain} }
    - { name: limited, key: ${limited} }
${auth}
${settings}
`;
  const config = await loadConfig({
    env: { HEDDLE_CONFIG: "heddle.yaml", HEDDLE_DATA: folder.path },
    readFile: (path) => (path.endsWith("heddle.yaml") ? yaml : undefined),
  });
  const clock = { ...systemClock, time: Date.parse("2026-03-01T12:10:00Z"), now: (): number => clock.time };
  const transport = createUndiciTransport(config.timeouts);
  const table = await openSqlite({ file: join(folder.path, "heddle.db"), now: clock.now });
  const store = breakable(table);
  const gateway = createGateway(
    {
      transport,
      clock,
      log: createLog({ level: "silent", write: () => undefined }),
      version: "0.0.0-test",
      storage: async () => ({ table: store.table, blobs: openFileBlobs({ folder: join(folder.path, "blobs") }) }),
      secrets: { get: async (name) => (name === "pepper" ? pepper : undefined) },
    },
    config,
  );
  const { server, drain } = createHttpServer(gateway, { ...config.server, drainMs: 500 });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  tidy.push(() => table.close(), transport.close, drain);
  const get = async (path: string, key?: string): Promise<Said> =>
    said(await fetch(`${url}${path}`, key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } }));
  return {
    url,
    clock,
    get,
    isDown: (down: boolean): void => {
      store.isDown(down);
      // Whatever is remembered of the store's last answers for a moment has had its time.
      clock.time += 30_000;
    },
    readiness: async (): Promise<number> => (await get("/health/ready")).status,
    makeKey: async (wanted: { selfProving?: boolean } = {}): Promise<string> => {
      const keys = await gateway.services.keys?.();
      if (keys === undefined) throw new Error("There are no keys.");
      return (await keys.create(admin, { name: "made", ...wanted })).key;
    },
    flush: () => gateway.flush(),
  };
};

describe("a budget that is closed (F45)", () => {
  const budget = "limits: { budgets: [{ name: b, by: key, amount: 0.0005, per: total, match: { keys: [limited] } }] }";

  test("refuses with 503 while the store is down, readiness too, and both are well again with the store", async () => {
    const gateway = await start(budget);
    expect((await chat(gateway, limited)).status).toBe(200);
    expect(await gateway.readiness()).toBe(200);

    gateway.isDown(true);
    const refused = await chat(gateway, limited);
    expect(refused.status).toBe(503);
    expect(refused.text).not.toContain("insufficient_quota");
    expect(provider.requests).toHaveLength(1);
    expect(await gateway.readiness()).toBe(503);
    expect(JSON.parse((await gateway.get("/health")).text)).toMatchObject({ status: "degraded", store: "down" });
    expect((await gateway.get("/health/live")).status).toBe(200);
    // Who has no limit goes on, and so do models that cost nothing.
    expect((await chat(gateway, plain)).status).toBe(200);
    expect((await chat(gateway, limited, { model: "local/free" })).status).toBe(200);

    gateway.isDown(false);
    expect(await gateway.readiness()).toBe(200);
    expect(JSON.parse((await gateway.get("/health")).text)).toMatchObject({ status: "ok", store: "ok" });
    // What was spent before stands, and what was refused was not counted: four more for five.
    const rest: Said[] = [];
    for (let at = 0; at < 6; at += 1) rest.push(await chat(gateway, limited));
    expect(statuses(rest)).toEqual({ 200: 4, 429: 2 });
  });

  test("passes calls while the store is down where the configuration says so, and readiness agrees", async () => {
    const gateway = await start(budget.replace("per: total", "per: total, onStoreFailure: open"));
    gateway.isDown(true);
    expect((await chat(gateway, limited)).status).toBe(200);
    expect(await gateway.readiness()).toBe(200);
    gateway.isDown(false);
    expect((await chat(gateway, limited)).status).toBe(200);
    expect(await gateway.readiness()).toBe(200);
  });
});

describe("a rate (F45)", () => {
  const rate = "limits: { rates: [{ name: r, by: key, requestsPerMinute: 2 }] }";
  const three = async (gateway: { url: string }): Promise<Record<number, number>> =>
    statuses([await chat(gateway, limited), await chat(gateway, limited), await chat(gateway, limited)]);

  test("is open unless it is said to be closed, and holds again with the store", async () => {
    const gateway = await start(rate);
    gateway.isDown(true);
    expect(await three(gateway)).toEqual({ 200: 3 });
    expect(await gateway.readiness()).toBe(200);
    gateway.isDown(false);
    expect(await three(gateway)).toEqual({ 200: 2, 429: 1 });
  });

  test("that is closed refuses with 503, with readiness", async () => {
    const gateway = await start(rate.replace("requestsPerMinute: 2", "requestsPerMinute: 2, onStoreFailure: closed"));
    gateway.isDown(true);
    expect(await three(gateway)).toEqual({ 503: 3 });
    expect(await gateway.readiness()).toBe(503);
    expect(provider.requests).toHaveLength(0);
    gateway.isDown(false);
    expect(await gateway.readiness()).toBe(200);
    expect(await three(gateway)).toEqual({ 200: 2, 429: 1 });
  });
});

test.each([
  ["open", 200],
  ["closed", 503],
])(
  "limits of run time that an instance could never read: %s is %i, in calls and in readiness (F45)",
  async (mode, status) => {
    const gateway = await start(`limits: { onStoreFailure: ${mode} }`);
    gateway.isDown(true);
    expect((await chat(gateway, limited)).status).toBe(status);
    expect(await gateway.readiness()).toBe(status);
    gateway.isDown(false);
    expect((await chat(gateway, limited)).status).toBe(200);
    expect(await gateway.readiness()).toBe(200);
  },
);

describe("keys (F45)", () => {
  test("that are known go on, others get a 503 and never a 401, and are taken when the store is back", async () => {
    const gateway = await start("");
    const [known, unknown] = [await gateway.makeKey(), await gateway.makeKey()];
    expect((await chat(gateway, known)).status).toBe(200);
    gateway.isDown(true);
    expect((await chat(gateway, known)).status).toBe(200);
    const refused = await chat(gateway, unknown);
    expect(refused.status).toBe(503);
    // A forged one is refused as ever: nothing has to be read for it.
    const forged = `${unknown.slice(0, -1)}${unknown.endsWith("0") ? "1" : "0"}`;
    expect((await chat(gateway, forged)).status).toBe(401);
    expect(provider.requests).toHaveLength(2);
    gateway.isDown(false);
    expect((await chat(gateway, unknown)).status).toBe(200);
  });

  test.each([
    ["closed", 503],
    ["open", 200],
  ])("that prove themselves, where revocations can't be read: %s is %i", async (mode, status) => {
    const gateway = await start("", `  onStoreFailure: ${mode}`);
    const key = await gateway.makeKey({ selfProving: true });
    // Longer than what was read of revocations holds.
    gateway.clock.time += 16 * 60_000;
    gateway.isDown(true);
    expect((await chat(gateway, key)).status).toBe(status);
    gateway.isDown(false);
    expect((await chat(gateway, key)).status).toBe(200);
  });
});

test("threads and administration get a 503 while the store is down; what was called meanwhile is in the ledger afterwards (F45)", async () => {
  const gateway = await start("");
  const root = await gateway.makeKey();
  expect((await gateway.get("/v1/threads", root)).status).toBe(200);
  gateway.isDown(true);
  for (const path of ["/v1/threads", "/v1/admin/usage"]) expect((await gateway.get(path, plain)).status).toBe(503);
  expect((await chat(gateway, plain)).status).toBe(200);
  gateway.isDown(false);
  expect((await gateway.get("/v1/threads", plain)).status).toBe(200);
  await gateway.flush();
  const usage = await gateway.get("/v1/admin/usage?from=2026-03-01&to=2026-03-02", plain);
  expect(JSON.parse(usage.text)).toMatchObject({ total: { requests: 1 } });
});
