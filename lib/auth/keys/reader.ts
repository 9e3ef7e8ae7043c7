// Who a key stands for: checked by itself first, then looked up, and kept for seconds, so that a revocation is known within ten.
import type { AuthConfig, HeddleConfig } from "../../config-types.ts";
import { toGatewayError } from "../../model/error.ts";
import type { Table } from "../../stores/table.ts";
import type { Caller } from "../caller.ts";
import { type Control, type ControlState, isRevoked } from "../control.ts";
import { unknownKey } from "../refused.ts";
import { readClaims, type SelfProvingRecord } from "./claims.ts";
import { hashMatches, keyEnvironment, type ParsedKey, parseKey, provenBy } from "./format.ts";
import type { Peppers, PepperSource } from "./peppers.ts";
import { callerOfRecord, checkTimes, keyItem, recordOfItem, revokedKey } from "./record.ts";
import type { KeyRecord } from "./types.ts";

/** `verified`: resolves when it is known that the caller may be answered; rejects `authentication` or `storage`. Absent: it is known. */
export type Authenticated = { caller: Caller; verified?: Promise<void> };

/** What outlives the answer is handed to it. */
export type Behind = (work: Promise<unknown>) => void;

export type KeyReader = {
  /** At once where the key is known; throws or rejects `authentication`, and `storage` where it can't be looked up. */
  authenticate: (text: string, behind: Behind) => Authenticated | Promise<Authenticated>;
  /** The key's record has changed. */
  forget: (id: string) => void;
};

export type KeyReaderServices = {
  /** Undefined where nothing is kept: then only keys that prove themselves can be known. */
  table: (() => Promise<Table>) | undefined;
  peppers: PepperSource;
  control: Control | undefined;
  environment: HeddleConfig["environment"];
  /** `open`: keys that prove themselves pass while it can't be read whether they are revoked. Others never do. */
  onStoreFailure: NonNullable<AuthConfig["onStoreFailure"]>;
  clock: { now: () => number };
};

const refreshMs = 5_000;
const oldestMs = 10_000;
const missMs = 5_000;
/** How old what was read may be while the store is down. */
const outageMs = 15 * 60_000;
const hourMs = 3_600_000;
const mostEntries = 10_000;

type StoredEntry = {
  kind: "stored";
  key: ParsedKey;
  /** Undefined: there is no such key. */
  record: KeyRecord | undefined;
  authenticated: Authenticated | undefined;
  /** When the reading of it began. */
  at: number;
  /** When the store was last found to be down since: then nothing newer was to be had. */
  failedAt: number;
  usedHour: number;
};
type SelfProvingEntry = { kind: "self-proving"; record: SelfProvingRecord; authenticated: Authenticated };

export const createKeyReader = (services: KeyReaderServices): KeyReader => {
  const { clock, control, peppers, onStoreFailure } = services;
  const environment = keyEnvironment(services.environment);
  const { hash } = process.getBuiltinModule("node:crypto");
  /** By a hash of the whole key: a comparison of it tells nothing of the key. */
  const entries = new Map<string, StoredEntry | SelfProvingEntry>();
  const reading = new Map<string, { began: number; done: Promise<StoredEntry> }>();
  let provenWith: Peppers | undefined;
  /** Counts what was changed here: a read that began before is read again. */
  let changes = 0;
  let controlFailedAt = Number.NEGATIVE_INFINITY;

  const keep = (digest: string, entry: StoredEntry | SelfProvingEntry): void => {
    entries.delete(digest);
    entries.set(digest, entry);
    if (entries.size <= mostEntries) return;
    const [oldest] = entries.keys();
    if (oldest !== undefined) entries.delete(oldest);
  };

  const touch = (entry: StoredEntry, { id, lastUsedAt = 0 }: KeyRecord, now: number, behind: Behind): void => {
    const hour = Math.floor(now / hourMs);
    if (entry.usedHour === hour) return;
    entry.usedHour = hour;
    if (lastUsedAt >= hour * hourMs || services.table === undefined) return;
    const { table } = services;
    const write = async (): Promise<void> => {
      const change = { set: { lastUsedAt: hour * hourMs } };
      const earlier = { field: "lastUsedAt", is: "<", value: hour * hourMs, orAbsent: true } as const;
      await (await table()).update(keyItem(id), change, { item: "present", fields: [earlier] });
    };
    // That a key was used is worth telling, not worth failing.
    behind(write().catch(() => undefined));
  };

  /** Throws what forbids it. */
  const use = (entry: StoredEntry, behind: Behind): Authenticated => {
    const { record, authenticated } = entry;
    if (record === undefined || authenticated === undefined) throw unknownKey();
    const now = clock.now();
    checkTimes(record, now);
    touch(entry, record, now, behind);
    return authenticated;
  };

  const lookUp = async (key: ParsedKey, proven: Peppers): Promise<KeyRecord | undefined> => {
    if (services.table === undefined) return undefined;
    const item = await (await services.table()).get(keyItem(key.id));
    const found = item === undefined ? undefined : recordOfItem(item);
    const known = found !== undefined && proven.some((pepper) => hashMatches(found.hash, pepper, key.text));
    return known ? found.record : undefined;
  };

  const lookUpAnew = async (digest: string, key: ParsedKey, proven: Peppers, began: number): Promise<StoredEntry> => {
    const known = entries.get(digest);
    const before = known?.kind === "stored" ? known : undefined;
    try {
      const count = changes;
      const record = await lookUp(key, proven);
      if (count !== changes) return await lookUpAnew(digest, key, proven, clock.now());
      const entry: StoredEntry = {
        kind: "stored",
        key,
        record,
        authenticated: record === undefined ? undefined : { caller: callerOfRecord(record) },
        at: began,
        failedAt: Number.NEGATIVE_INFINITY,
        usedHour: before?.usedHour ?? -1,
      };
      keep(digest, entry);
      return entry;
    } catch (thrown) {
      // Nor is it used any more where it was changed here meanwhile.
      const usable = before?.record !== undefined && entries.get(digest) === before && began - before.at <= outageMs;
      if (!usable) throw toGatewayError(thrown);
      before.failedAt = clock.now();
      return before;
    }
  };

  /** One at a time. What began long ago may have slept with its process, and is not waited for. */
  const refresh = (digest: string, key: ParsedKey, proven: Peppers): Promise<StoredEntry> => {
    const began = clock.now();
    const running = reading.get(digest);
    if (running !== undefined && began - running.began < refreshMs) return running.done;
    const done = lookUpAnew(digest, key, proven, began).finally(() => {
      if (reading.get(digest)?.done === done) reading.delete(digest);
    });
    reading.set(digest, { began, done });
    return done;
  };

  const revocation = (state: ControlState, id: string): void => {
    if (isRevoked(state, id, clock.now())) throw revokedKey();
  };
  /** What is known while it can't be read: throws where that is nothing, and the rule is to refuse. */
  const revocationUnread = (id: string, thrown: unknown): void => {
    const last = control?.last();
    if (last !== undefined && clock.now() - last.at <= outageMs) revocation(last.state, id);
    else if (onStoreFailure === "closed") throw thrown;
  };

  const verify = async (asked: Promise<ControlState>, id: string): Promise<void> => {
    let state: ControlState;
    try {
      state = await asked;
    } catch (thrown) {
      controlFailedAt = clock.now();
      revocationUnread(id, toGatewayError(thrown));
      return;
    }
    controlFailedAt = Number.NEGATIVE_INFINITY;
    revocation(state, id);
  };

  const useSelfProving = ({ record, authenticated }: SelfProvingEntry): Authenticated => {
    checkTimes(record, clock.now());
    const { id } = record;
    if (control === undefined) {
      if (onStoreFailure === "closed") throw unknownKey();
      return authenticated;
    }
    const state = control.state();
    if (!(state instanceof Promise)) {
      revocation(state, id);
      return authenticated;
    }
    const verified = verify(state, id);
    verified.catch(() => undefined);
    const last = control.last();
    const judged = onStoreFailure === "open" || (last !== undefined && clock.now() - last.at <= outageMs);
    if (!judged || clock.now() - controlFailedAt > oldestMs) return { caller: authenticated.caller, verified };
    // The store was down a moment ago: who can be judged without it does not wait for it.
    revocationUnread(id, undefined);
    return authenticated;
  };

  const admit = (digest: string, key: ParsedKey, known: Peppers | undefined, behind: Behind) => {
    if (known === undefined || provenBy(key, known) === undefined) throw unknownKey();
    if (known !== provenWith) {
      // What was proven by a pepper that is no more is to be proven again.
      entries.clear();
      provenWith = known;
    }
    if (key.claims === undefined) return refresh(digest, key, known).then((entry) => use(entry, behind));
    const record = readClaims(key);
    if (record === undefined) throw unknownKey();
    const entry: SelfProvingEntry = {
      kind: "self-proving",
      record,
      authenticated: { caller: callerOfRecord(record) },
    };
    keep(digest, entry);
    return useSelfProving(entry);
  };

  const useKnown = (digest: string, entry: StoredEntry, proven: Peppers, behind: Behind) => {
    const now = clock.now();
    const wait = () => refresh(digest, entry.key, proven).then((found) => use(found, behind));
    if (entry.record === undefined) return now - entry.at < missMs ? use(entry, behind) : wait();
    const age = now - Math.max(entry.at, entry.failedAt);
    if (age > oldestMs || now - entry.at > outageMs) return wait();
    if (age > refreshMs) behind(refresh(digest, entry.key, proven).catch(() => undefined));
    return use(entry, behind);
  };

  return {
    authenticate: (text, behind) => {
      // Longer ones are no keys, and cost no hash.
      if (text.length > 1_000) throw unknownKey();
      const digest = hash("sha256", text, "base64");
      const entry = entries.get(digest);
      if (entry !== undefined) {
        const current = peppers();
        if (!(current instanceof Promise) && current !== undefined && current === provenWith)
          return entry.kind === "stored" ? useKnown(digest, entry, current, behind) : useSelfProving(entry);
      }
      const key = parseKey(text);
      if (key === undefined || key.environment !== environment) throw unknownKey();
      const current = peppers();
      return current instanceof Promise
        ? current.then((found) => admit(digest, key, found, behind))
        : admit(digest, key, current, behind);
    },
    forget: (id) => {
      changes += 1;
      for (const [digest, entry] of entries)
        if ((entry.kind === "stored" ? entry.key.id : entry.record.id) === id) entries.delete(digest);
    },
  };
};
