// Key stores and readers of several instances over one table, with clocks and outages that a test sets.
import { type Control, createControl } from "../../lib/auth/control.ts";
import type { Caller } from "../../lib/auth/caller.ts";
import { createPeppers } from "../../lib/auth/keys/peppers.ts";
import { createKeyReader, type KeyReader } from "../../lib/auth/keys/reader.ts";
import { createKeyStore } from "../../lib/auth/keys/store.ts";
import type { KeyStore } from "../../lib/auth/keys/types.ts";
import { createPolicy } from "../../lib/auth/policy.ts";
import { openCaller } from "../../lib/auth/static-keys.ts";
import { GatewayError } from "../../lib/model/error.ts";
import type { Secrets } from "../../lib/secrets/secrets.ts";
import type { Table } from "../../lib/stores/table.ts";
import { createMemoryTable } from "./memory-table.ts";

export const pepper = "a-fake-pepper-of-forty-characters-000001";
export const otherPepper = "a-fake-pepper-of-forty-characters-000002";
export const admin: Caller = openCaller;
const roles = { keymaker: ["keys:*", "models:*"], billing: ["usage:*", "keys:*"] };
const policy = createPolicy(roles);

export const caller = (change: Partial<Caller> = {}): Caller => ({
  name: "ada",
  open: false,
  tenant: "acme",
  owner: "ada",
  user: "ada",
  key: "config:ada",
  roles: ["admin"],
  ...change,
});

/** Counts what is asked; while `down`, all of it fails. Single reads are answered when `gate` has resolved, with what stood there before. */
export type Tapped = { table: Table; reads: string[]; writes: string[]; down: boolean; gate?: Promise<void> };

export const tap = (table: Table): Tapped => {
  const tapped: Tapped = { table, reads: [], writes: [], down: false };
  const check = (): void => {
    if (tapped.down) throw new GatewayError("storage", "The store is down.");
  };
  tapped.table = {
    ...table,
    get: async (key) => {
      tapped.reads.push(key.pk);
      check();
      const { gate } = tapped;
      const found = await table.get(key);
      await gate;
      return found;
    },
    query: async (query) => {
      tapped.reads.push(query.pk);
      check();
      return table.query(query);
    },
    put: async (item, condition) => {
      tapped.writes.push(item.pk);
      check();
      return table.put(item, condition);
    },
    update: async (key, change, condition) => {
      tapped.writes.push(key.pk);
      check();
      return table.update(key, change, condition);
    },
  };
  return tapped;
};

/** Holds the single reads that begin from now on back, until it is called. */
export const hold = (tapped: Tapped): (() => void) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  tapped.gate = promise;
  return () => {
    delete tapped.gate;
    resolve();
  };
};

type Instance = {
  tapped: Tapped;
  keys: KeyStore;
  reader: KeyReader;
  control: Control;
  /** Who the key stands for, once that is verified; what was left behind has ended. */
  who: (key: string) => Promise<Caller>;
  /** The same, as far as it is known at once. */
  whoNow: (key: string) => ReturnType<KeyReader["authenticate"]>;
  /** All that was left behind calls. */
  settle: () => Promise<void>;
};

export type World = {
  clock: { now: () => number; time: number };
  secret: { value: string | undefined; asked: number };
  instance: (onStoreFailure?: "open" | "closed") => Instance;
};

export const world = (): World => {
  const clock = { time: Date.parse("2026-03-01T12:10:00Z"), now: () => clock.time };
  const shared = createMemoryTable(clock.now);
  const secret = { value: pepper as string | undefined, asked: 0 };
  const secrets: Secrets = {
    get: async () => {
      secret.asked += 1;
      return secret.value;
    },
  };
  return {
    clock,
    secret,
    instance: (onStoreFailure = "closed") => {
      const tapped = tap(shared);
      const table = async (): Promise<Table> => tapped.table;
      const control = createControl(table, clock);
      const peppers = createPeppers(secrets, clock);
      const environment = "production" as const;
      const reader = createKeyReader({ table, peppers, control, environment, onStoreFailure, clock });
      const changed = (id: string): void => reader.forget(id);
      const keys = createKeyStore({ table, peppers, control, policy, environment, clock, changed });
      const left: Promise<unknown>[] = [];
      const behind = (work: Promise<unknown>): void => void left.push(work);
      const settle = async (): Promise<void> => void (await Promise.all(left.splice(0)));
      const whoNow = (key: string): ReturnType<KeyReader["authenticate"]> => reader.authenticate(key, behind);
      return {
        tapped,
        keys,
        reader,
        control,
        settle,
        whoNow,
        who: async (key) => {
          const { caller: found, verified } = await whoNow(key);
          await verified;
          await settle();
          return found;
        },
      };
    },
  };
};

/** The code and message of what is thrown or rejected. */
export const failure = async (run: () => unknown): Promise<string> => {
  try {
    await run();
  } catch (thrown) {
    return thrown instanceof GatewayError ? `${thrown.code}: ${thrown.message}` : String(thrown);
  }
  return "none";
};
