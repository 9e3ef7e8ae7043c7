// The audit log against a store that fails: no change without an entry in front of it.
import { describe, expect, test } from "vitest";
import { audited, auditRefusal, type AuditStore, readAudit } from "../../../lib/routes/admin/audit-log.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import { openCaller } from "../../../lib/auth/static-keys.ts";
import { createMemoryTable, tapped } from "../../support/memory-table.ts";

const down = (): never => {
  throw new GatewayError("storage", "The store is down.");
};
const acting = { caller: openCaller, invocation: { requestId: "req_1" } };
const intent = { action: "keys.create", target: "", tenant: "acme", changes: { name: "k" } };

const start = (at = Date.UTC(2026, 10, 21)) => {
  let now = at;
  let ids = 0;
  const memory = createMemoryTable(() => now);
  let writes = 0;
  let failing = (_write: number): boolean => false;
  const table = tapped(memory, {
    before: () => {
      writes += 1;
      if (failing(writes)) down();
    },
  });
  const store: AuditStore = {
    table,
    clock: { now: () => now },
    newId: () => {
      ids += 1;
      return `id${String(ids).padStart(22, "0")}`;
    },
  };
  return {
    store,
    failFrom: (first: number) => {
      failing = (write) => write >= first;
    },
    mend: () => {
      failing = () => false;
    },
    setNow: (to: number) => {
      now = to;
    },
    read: async (more: Partial<Parameters<typeof readAudit>[1]> = {}) =>
      readAudit(store, { tenant: "acme", from: 0, to: Date.UTC(2027, 0, 1), limit: 100, ...more }),
  };
};

describe("the audit log", () => {
  test("is written before the change: where it can't be, nothing is changed (F45)", async () => {
    const { store, failFrom, mend, read } = start();
    failFrom(1);
    let done = 0;
    const change = (): Promise<string> => Promise.resolve(`made ${(done += 1)}`);
    await expect(audited(store, acting, intent, change)).rejects.toMatchObject({ code: "storage" });
    expect(done).toBe(0);
    mend();
    expect((await read()).entries).toEqual([]);
  });

  test("an end that can't be written leaves the intention, and the change stands", async () => {
    const { store, failFrom, read } = start();
    failFrom(2);
    expect(
      await audited(
        store,
        acting,
        intent,
        () => Promise.resolve("made"),
        (made) => made,
      ),
    ).toBe("made");
    expect((await read()).entries).toMatchObject([{ outcome: "intended", target: "", requestId: "req_1" }]);
  });

  test("says what came of it", async () => {
    const { store, read } = start();
    await audited(
      store,
      acting,
      intent,
      () => Promise.resolve("key1"),
      (made) => made,
    );
    for (const code of ["conflict", "permission", "storage"] as const)
      await expect(
        audited(store, acting, intent, () => Promise.reject(new GatewayError(code, "canary"))),
      ).rejects.toThrow("canary");
    const { entries } = await read();
    // A store that broke down meanwhile may have done it, or not.
    expect(entries.map(({ outcome }) => outcome)).toEqual(["intended", "refused", "failed", "done"]);
    expect(entries.at(-1)).toMatchObject({ target: "key1", changes: { name: "k" }, actor: { key: "", name: "open" } });
    expect(JSON.stringify(entries)).not.toContain("canary");
  });

  test("refusals that repeat are one entry a minute, with how often", async () => {
    const { store, setNow, read } = start();
    const at = store.clock.now();
    const context = { ...acting, params: ["key1"] };
    for (let times = 0; times < 20; times += 1) await auditRefusal(store, context, "keys.create");
    await auditRefusal(store, context, "keys.rotate");
    setNow(at + 60_000);
    await auditRefusal(store, context, "keys.create");
    const { entries } = await read({ tenant: openCaller.tenant });
    expect(entries.map(({ action, outcome, changes }) => [action, outcome, changes])).toEqual([
      ["keys.create", "refused", {}],
      ["keys.rotate", "refused", {}],
      ["keys.create", "refused", { times: 16 }],
    ]);
  });

  test("a search for what is rare goes on where it stopped", async () => {
    const { store, setNow, read } = start();
    const old = Date.UTC(2020, 0, 5);
    setNow(old);
    await audited(store, acting, { ...intent, target: "old" }, () => Promise.resolve());
    const first = await read({ from: Date.UTC(2019, 0, 1) });
    expect(first).toMatchObject({ entries: [], next: { month: expect.stringMatching(/^20/) } });
    const seen: string[] = [];
    for (let page: typeof first | undefined = first; page?.next !== undefined;) {
      page = await read({ from: Date.UTC(2019, 0, 1), cursor: page.next });
      seen.push(...page.entries.map(({ target }) => target));
    }
    expect(seen).toEqual(["old"]);
  });

  test("is read over months, newest first, in pages that miss and repeat nothing", async () => {
    const { store, setNow, read } = start();
    const days = [Date.UTC(2026, 7, 3), Date.UTC(2026, 9, 31, 23, 59), Date.UTC(2026, 10, 1), Date.UTC(2026, 10, 1)];
    for (const [at, day] of days.entries()) {
      setNow(day);
      await audited(store, acting, { ...intent, target: `t${at}` }, () => Promise.resolve());
    }
    const seen: string[] = [];
    let cursor: { month: string; at: string } | undefined;
    do {
      const page = await read({ limit: 1, ...(cursor === undefined ? {} : { cursor }) });
      seen.push(...page.entries.map(({ target }) => target));
      cursor = page.next;
    } while (cursor !== undefined);
    expect(seen).toEqual(["t3", "t2", "t1", "t0"]);
    const october = await read({ from: Date.UTC(2026, 9, 1), to: Date.UTC(2026, 10, 1) });
    expect(october.entries.map(({ target }) => target)).toEqual(["t1"]);
  });
});
