// Gateways of one process, one for each state of its secrets: what waits to be written in any of them is written before the process ends.
import { expect, test } from "vitest";
import { createGateways } from "../../../functions/shared/gateways.ts";
import { createUndiciTransport } from "../../../lib/http/undici-transport.ts";
import type { Members } from "../../../lib/secrets/secrets.ts";
import { systemClock } from "../../../lib/routing/retry.ts";
import { createLog } from "../../../lib/telemetry/log.ts";
import type { Gateway } from "../../../lib/gateway.ts";
import type { Operation } from "../../../lib/stores/table.ts";
import type { Storage } from "../../../lib/turns/services.ts";
import { createMemoryTable } from "../../support/memory-table.ts";

const admin = "hd-a-fake-admin-key-of-the-secrets-0001";

test("usage of calls that were begun before a rotation is written, too", async () => {
  let members: Members = { "admin-key": admin, pepper: "a-fake-pepper-that-is-forty-characters-long" };
  const table = createMemoryTable();
  const written: string[] = [];
  const watched = {
    ...table,
    transact: (pk: string, operations: readonly Operation[]) => {
      written.push(JSON.stringify(operations));
      return table.transact(pk, operations);
    },
  };
  const gateways = createGateways({
    env: { HEDDLE_ENV: "staging" },
    readFile: () => undefined,
    write: () => undefined,
    clock: systemClock,
    log: createLog({ level: "error", write: () => undefined, now: Date.now }),
    transport: createUndiciTransport,
    counters: { record: () => undefined, budgetAlert: () => undefined },
    vault: { members: async () => members, get: async (name) => members[name] },
    storage: async () => ({ table: watched }) as unknown as Storage,
    sleeps: false,
  });
  /** Gives the work that outlives the answer. */
  const call = async (gateway: Gateway, requestId: string): Promise<Promise<unknown>[]> => {
    const under: Promise<unknown>[] = [];
    const body = JSON.stringify({ model: "echo/echo", messages: [{ role: "user", content: requestId }] });
    const headers = { authorization: `Bearer ${admin}`, "content-type": "application/json" };
    const { status } = await gateway(
      { method: "POST", path: "/v1/chat/completions", query: "", headers, body: Buffer.from(body) },
      {
        requestId,
        signal: new AbortController().signal,
        deadline: Infinity,
        waitUntil: (work) => void under.push(work),
      },
    );
    expect(status).toBe(200);
    return under;
  };
  const warm = async (): Promise<Gateway> => {
    const gateway = await gateways.newest();
    await Promise.all(await call(gateway, "warm"));
    return gateway;
  };
  const older = await warm();
  members = { ...members, openai: "sk-a-fake-key" };
  const newest = await warm();
  expect(newest).not.toBe(older);
  const under = [...(await call(older, "begun-before")), ...(await call(newest, "begun-after"))];
  await gateways.flush();
  for (const id of ["begun-before", "begun-after"])
    expect(written.some((operations) => operations.includes(id))).toBe(true);
  await Promise.all(under);
});
