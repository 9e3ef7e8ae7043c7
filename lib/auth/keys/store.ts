// Keys that are made, changed, revoked and rotated while the gateway runs, over the table.
import type { HeddleConfig } from "../../config-types.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import { compact } from "../../model/json.ts";
import type { Table } from "../../stores/table.ts";
import type { Caller } from "../caller.ts";
import type { Control } from "../control.ts";
import type { Policy } from "../policy.ts";
import { checkFuture, checkRecord } from "./checks.ts";
import { encodeClaims } from "./claims.ts";
import { hashOfKey, keyEnvironment, makeKey, makeSelfProvingKey, mostClaimBytes } from "./format.ts";
import { grantable } from "./grant.ts";
import type { PepperSource } from "./peppers.ts";
import { itemOfRecord, keyIndex, keyItem, recordOfItem } from "./record.ts";
import type { CreatedKey, KeyRecord, KeyStore, NewKey } from "./types.ts";

export type KeyStoreServices = {
  table: () => Promise<Table>;
  peppers: PepperSource;
  control: Control;
  policy: Policy;
  environment: HeddleConfig["environment"];
  clock: { now: () => number };
  /** Told of every key whose record has changed, so that this instance knows at once. */
  changed?: (id: string) => void;
};

const day = 86_400_000;
/** Keys that prove themselves must end: until then their revocation has to be remembered by every instance. */
const selfProvingDays = { usual: 90, most: 400 } as const;
const overlap = { usual: 86_400, most: 30 * 86_400 } as const;
const changeTries = 10;

const notFound = (): GatewayError => new GatewayError("not_found", "No such key.");
const conflict = (message: string): GatewayError => new GatewayError("conflict", message);

/** The name in the record where a caller has no key. */
const nameOf = ({ key, name }: Caller): string => (key === "" ? name : key);

/** The earlier of two times, either of which may be absent. */
const earlier = (a: number | undefined, b: number): number => (a === undefined ? b : Math.min(a, b));

export const createKeyStore = (services: KeyStoreServices): KeyStore => {
  const { control, policy, clock, changed = () => undefined } = services;

  const checkGrant = (by: Caller, record: KeyRecord): void => {
    const excess = grantable(policy, by, record);
    if (excess !== undefined) throw new GatewayError("permission", excess.message, { param: excess.param });
  };

  const seal = async (record: Omit<KeyRecord, "id">): Promise<CreatedKey & { hash: string }> => {
    const pepper = (await services.peppers())?.[0];
    if (pepper === undefined)
      throw new GatewayError("not_implemented", "Keys need the secret 'pepper', which is not set.");
    const environment = keyEnvironment(services.environment);
    if (record.selfProving !== true) {
      const { key, id } = makeKey(pepper, environment);
      return { key, record: { id, ...record }, hash: hashOfKey(pepper, key) };
    }
    const claims = encodeClaims(record);
    if (claims.length > mostClaimBytes)
      throw invalid("selfProving", "names, roles and scopes are too long for a key that holds them itself");
    const { key, id } = makeSelfProvingKey(pepper, environment, claims);
    return { key, record: { id, ...record }, hash: hashOfKey(pepper, key) };
  };

  const make = async (by: Caller, record: Omit<KeyRecord, "id">): Promise<CreatedKey> => {
    checkRecord(policy, { id: "", ...record });
    checkGrant(by, { id: "", ...record });
    const { hash, ...created } = await seal(record);
    const table = await services.table();
    const written = await table.put(itemOfRecord(created.record, hash), { item: "absent" });
    if (!written.ok) throw conflict("Try again.");
    return created;
  };

  const find = async (by: Caller, id: string): Promise<ReturnType<typeof recordOfItem> & { version: number }> => {
    if (!/^[A-Za-z0-9]{16}$/.test(id)) throw notFound();
    const item = await (await services.table()).get(keyItem(id));
    if (item === undefined) throw notFound();
    const found = recordOfItem(item);
    const { tenant, everywhere } = found.record;
    if (by.everywhere !== true && (tenant !== by.tenant || everywhere === true)) throw notFound();
    return { ...found, version: item.version };
  };

  /** Reads, changes and writes it back; again where another was faster. `edit` throws what forbids it. */
  const edit = async (by: Caller, id: string, change: (record: KeyRecord) => KeyRecord): Promise<KeyRecord> => {
    for (let tried = 0; tried < changeTries; tried += 1) {
      const { record, hash, version } = await find(by, id);
      const next = change(record);
      const written = await (await services.table()).put(itemOfRecord(next, hash), { version });
      if (!written.ok) continue;
      changed(id);
      return next;
    }
    throw conflict("The key was changed by others meanwhile: try again.");
  };

  const recordOfNew = (by: Caller, wanted: NewKey): Omit<KeyRecord, "id"> => {
    const now = clock.now();
    const { selfProving, expiresAt = selfProving === true ? now + selfProvingDays.usual * day : undefined } = wanted;
    checkFuture("expiresAt", expiresAt, now);
    if (selfProving === true) {
      if (wanted.limits !== undefined)
        throw invalid("limits", "a key that proves itself has no limits of its own, as no store is asked about it");
      if (wanted.everywhere === true) throw invalid("everywhere", "a key that proves itself is for one tenant");
      if (expiresAt !== undefined && expiresAt > now + selfProvingDays.most * day)
        throw invalid("expiresAt", `a key that proves itself lives for at most ${selfProvingDays.most} days`);
    }
    if (wanted.notBefore !== undefined && !Number.isSafeInteger(wanted.notBefore))
      throw invalid("notBefore", "expected Unix milliseconds");
    const manages = policy(by, "threads:manage") === undefined;
    return compact<Omit<KeyRecord, "id">>({
      name: wanted.name,
      tenant: wanted.tenant ?? by.tenant,
      owner: wanted.owner ?? (manages ? wanted.name : by.owner),
      user: wanted.user,
      roles: wanted.roles ?? ["member"],
      everywhere: wanted.everywhere === true ? true : undefined,
      scopes: wanted.scopes,
      limits: wanted.limits,
      selfProving: selfProving === true ? true : undefined,
      createdAt: now,
      createdBy: nameOf(by),
      notBefore: wanted.notBefore,
      // As the key itself holds it.
      expiresAt: expiresAt === undefined || selfProving !== true ? expiresAt : Math.ceil(expiresAt / 1_000) * 1_000,
      replacedBy: undefined,
      rotatedFrom: undefined,
      revokedAt: undefined,
      lastUsedAt: undefined,
    });
  };

  /** Before the record says so: what is in force is what instances read. */
  const revokeSelfProving = async ({ id, expiresAt }: KeyRecord, at: number): Promise<void> => {
    const until = expiresAt ?? Number.MAX_SAFE_INTEGER;
    await control.change((state) => {
      const begins = state.revoked[id] === undefined ? at : Math.min(at, state.revokedFrom?.[id] ?? 0);
      return {
        ...state,
        revoked: { ...state.revoked, [id]: until },
        revokedFrom: { ...state.revokedFrom, [id]: begins },
      };
    });
  };

  return {
    create: async (by, wanted) => make(by, recordOfNew(by, wanted)),

    get: async (by, id) => (await find(by, id)).record,

    list: async (by, { tenant = by.tenant, limit = 50, cursor } = {}) => {
      if (tenant !== by.tenant && by.everywhere !== true) throw new GatewayError("not_found", "No such tenant.");
      if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw invalid("limit", "expected 1 to 100");
      const page = await (
        await services.table()
      ).query({
        pk: keyIndex(tenant),
        index: true,
        descending: true,
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      const records = page.items.map((item) => recordOfItem(item).record);
      return {
        keys: records.filter((record) => by.everywhere === true || record.everywhere !== true),
        ...(page.next === undefined ? {} : { next: page.next }),
      };
    },

    update: (by, id, change) =>
      edit(by, id, (record) => {
        if (record.selfProving === true)
          throw conflict("A key that proves itself holds its rights and can't be changed: rotate or revoke it.");
        if (record.revokedAt !== undefined) throw conflict("The key is revoked.");
        if (change.expiresAt !== null) checkFuture("expiresAt", change.expiresAt, clock.now());
        if (change.expiresAt !== undefined && record.replacedBy !== undefined)
          throw conflict("The key was rotated: the key in its place has a time of its own.");
        const { scopes, limits, expiresAt, ...same } = record;
        const kept = <T>(wanted: T | null | undefined, before: T | undefined): T | undefined =>
          wanted === undefined ? before : (wanted ?? undefined);
        const next = compact<KeyRecord>({
          ...same,
          name: change.name ?? record.name,
          roles: change.roles ?? record.roles,
          scopes: kept(change.scopes, scopes),
          limits: kept(change.limits, limits),
          expiresAt: kept(change.expiresAt, expiresAt),
        });
        checkRecord(policy, next);
        checkGrant(by, record);
        checkGrant(by, next);
        return next;
      }),

    revoke: async (by, id, at = clock.now()) => {
      if (!Number.isSafeInteger(at) || at < 0) throw invalid("at", "expected Unix milliseconds");
      const { record } = await find(by, id);
      if (record.selfProving === true) await revokeSelfProving(record, at);
      return edit(by, id, (found) => ({ ...found, revokedAt: earlier(found.revokedAt, at) }));
    },

    rotate: async (by, id, { overlapSeconds = overlap.usual } = {}) => {
      if (!Number.isFinite(overlapSeconds) || overlapSeconds < 0 || overlapSeconds > overlap.most)
        throw invalid("overlapSeconds", `expected 0 to ${overlap.most}`);
      const now = clock.now();
      const checkOld = (record: KeyRecord): void => {
        if (record.replacedBy !== undefined) throw conflict("The key was rotated before.");
        if (record.revokedAt !== undefined) throw conflict("The key is revoked.");
        if (record.expiresAt !== undefined && record.expiresAt <= now) throw conflict("The key has expired.");
      };
      const { record: old } = await find(by, id);
      checkOld(old);
      const { id: _, lastUsedAt: __, notBefore: ___, ...rights } = old;
      const created = await make(by, {
        ...rights,
        createdAt: now,
        createdBy: nameOf(by),
        rotatedFrom: id,
        // It lives as long as the old one was meant to.
        ...(old.expiresAt === undefined
          ? {}
          : { expiresAt: Math.ceil((now + old.expiresAt - old.createdAt) / 1_000) * 1_000 }),
      });
      const ends = earlier(old.expiresAt, now + Math.round(overlapSeconds * 1_000));
      try {
        if (old.selfProving === true) await revokeSelfProving(old, ends);
        await edit(by, id, (found) => {
          checkOld(found);
          return { ...found, replacedBy: created.record.id, expiresAt: ends };
        });
      } catch (thrown) {
        // Nobody was told the new key.
        await (await services.table()).delete(keyItem(created.record.id)).catch(() => undefined);
        throw thrown;
      }
      return created;
    },
  };
};
