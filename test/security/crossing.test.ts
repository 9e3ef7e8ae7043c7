// Nobody reaches what is another's: every route, every kind of id, every wire, with another tenant's credentials, another owner's, and
// lesser roles'. Made of the route table: a route without an entry fails (entries.ts says how to write one).
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Action, createPolicy } from "../../lib/auth/policy.ts";
import type { Caller, Scopes } from "../../lib/auth/caller.ts";
import type { Headers } from "../../lib/model/call.ts";
import { routesOf } from "../../lib/routes/index.ts";
import type { Route } from "../../lib/routes/route.ts";
import { type DataFolder, dataFolder } from "../support/data.ts";
import { type Counted, type Got, openCounted } from "./counted.ts";
import { entries, type Entry, type EntryCall } from "./entries.ts";
import { furnish, type Ids, inventory, model } from "./world.ts";

const prefix = "/api/chat";
const customRoles: Record<string, string[]> = { caller: ["models:*"], keeper: ["threads:*", "files:*"], nothing: [] };

/** Who calls. All but `stranger` are of the victim's tenant; `owner` says where they are the victim's own. */
const keys = {
  victim: { tenant: "acme", owner: "alice", roles: ["admin"] },
  /** Of the same name in another tenant, where it may do everything. */
  stranger: { tenant: "other", owner: "alice", roles: ["admin"] },
  neighbour: { tenant: "acme", owner: "bob", roles: ["admin"] },
  peer: { tenant: "acme", owner: "peer", roles: ["member"] },
  /** Acts for carol, and may not for alice. */
  agent: { tenant: "acme", owner: "agent", roles: ["admin"], scopes: { owners: ["carol"] } },
  member: { tenant: "acme", owner: "alice", roles: ["member"] },
  operator: { tenant: "acme", owner: "alice", roles: ["operator"] },
  viewer: { tenant: "acme", owner: "alice", roles: ["viewer"] },
  caller: { tenant: "acme", owner: "alice", roles: ["caller"] },
  keeper: { tenant: "acme", owner: "alice", roles: ["keeper"] },
  nothing: { tenant: "acme", owner: "alice", roles: ["nothing"] },
  lister: { tenant: "acme", owner: "alice", roles: ["admin"], scopes: { actions: ["models:list"] } },
  otherModels: { tenant: "acme", owner: "alice", roles: ["admin"], scopes: { models: ["openai/*"] } },
} satisfies Record<string, { tenant: string; owner: string; roles: string[]; scopes?: object }>;
type Who = keyof typeof keys;

const keyOf = (who: Who): string => `canary-key-of-${who}-0123456789`;
const secretOf = (who: Who): string => `canary-secret-of-${who}`;
const as = (who: Who): Headers => ({
  authorization: `Bearer ${keyOf(who)}`,
  ...(who === "agent" ? { "heddle-user": "carol" } : {}),
});

const yaml = JSON.stringify({
  providers: { echo: { pace: 0 } },
  siili: { prefix, model },
  auth: {
    roles: customRoles,
    keys: Object.entries(keys).map(([name, key]) => ({ name, key: keyOf(name as Who), ...key })),
  },
});

let folders: DataFolder[];
let gateway: Counted;
let victim: Ids;
/** Ids of the same kinds that were given elsewhere: here they name nothing. */
let missing: Ids;
let before: string[];

beforeAll(async () => {
  folders = [dataFolder(), dataFolder()];
  const [here, elsewhere] = folders;
  gateway = await openCounted(yaml, here?.path ?? "");
  victim = await furnish(gateway, as("victim"), secretOf("victim"));
  const other = await openCounted(yaml, elsewhere?.path ?? "");
  missing = await furnish(other, as("victim"), "of-nobody");
  await other.close();
  before = await inventory(gateway, as("victim"), victim);
  gateway.logged();
}, 60_000);
afterAll(async () => {
  await gateway.close();
  for (const folder of folders) folder.remove();
});

const routes = routesOf({ siili: { prefix, model } } as Parameters<typeof routesOf>[0]);
const nameOf = ({ method, pattern }: Route): string => `${method} ${pattern.source}`;

describe("the table", () => {
  test("every route has an entry, every entry a route", () => {
    const names = routes.map(nameOf);
    const without = names.filter((name) => entries[name] === undefined);
    expect(
      without,
      `These routes are not tried with other tenants' credentials. Add an entry for each to test/security/entries.ts, under exactly
this name, with a call for each place where an id can stand; the top of that file says how.`,
    ).toEqual([]);
    expect(
      Object.keys(entries).filter((name) => !names.includes(name)),
      "These entries of test/security/entries.ts are of routes that are no longer there.",
    ).toEqual([]);
  });

  test("a path with a parameter has calls that name something", () => {
    const without = routes.filter(
      (route) => /\(\[\^\/\]\+\)/.test(route.pattern.source) && entries[nameOf(route)]?.of === undefined,
    );
    expect(without.map(nameOf)).toEqual([]);
  });
});

const tried = routes.flatMap((route) => {
  const entry = entries[nameOf(route)];
  return entry === undefined ? [] : [{ name: nameOf(route), route, entry }];
});
const naming = tried.flatMap((each) => (each.entry.of === undefined ? [] : [{ ...each, of: each.entry.of }]));

const send = (who: Who, { method }: Route, { path, body, headers = {} }: EntryCall): Promise<Got> =>
  gateway.send({ method, path, headers: { ...as(who), ...headers }, ...(body === undefined ? {} : { body }) });

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
/** The same text for whichever ids it was asked with; what differs from call to call is left out. */
const withoutIds = (text: string, ...of: Ids[]): string => {
  const all = of.flatMap((ids) => Object.values(ids)).toSorted((a, b) => b.length - a.length);
  const plain = all.length === 0 ? text : text.replaceAll(new RegExp(all.map(escaped).join("|"), "g"), "ID");
  return plain
    .replaceAll(/call-\d+/g, "CALL")
    .replaceAll(/"(?:created|created_at|duration_ms|time|ts)":\s*[\d.]+/g, '"TIME":0');
};
const noted = ({ refused }: Route, { status, headers, text, asked }: Got, ...of: Ids[]): unknown => {
  const { "x-request-id": _own, "request-id": _same, "content-length": _length, ...rest } = headers;
  // A refusal that is written down is written once a minute: what is read is the same.
  const read = refused === undefined ? asked : asked.filter((operation) => /^(?:get|query)/.test(operation));
  return { status, headers: withoutIds(JSON.stringify(rest), ...of), text: withoutIds(text, ...of), asked: read };
};

/** Nothing of the victim's is in an answer or in a log; ids that the caller sent itself are no secrets. */
const expectNoLeak = (got: Got, ...of: Ids[]): void => {
  const secret = secretOf("victim");
  expect(withoutIds(got.text, ...of)).not.toContain(secret);
  expect(withoutIds(JSON.stringify(got.headers), ...of)).not.toContain(secret);
  const logged = gateway.logged();
  expect(withoutIds(logged, ...of)).not.toContain(secret);
  expect(logged).not.toContain("canary-key");
};

const notFound = (got: Got, { notFound: own, always }: EntryCall): void => {
  const allowed = always === undefined ? [403, 404, ...(own === undefined ? [] : [own])] : [always];
  expect(allowed, got.text.slice(0, 300)).toContain(got.status);
};

describe("the entries are right: whoever owns a thing gets it", () => {
  test.each(naming)("$name", async ({ name, route, entry, of }) => {
    const { length } = of(victim);
    const rules = name.includes("admin");
    for (let at = 0; at < length; at += 1) {
      // What one call changes must not be in the way of the next.
      const call = of(await furnish(gateway, as("victim"), secretOf("victim"), rules))[at];
      if (call === undefined) continue;
      const got = await send("victim", route, call);
      if (call.always !== undefined) continue;
      expect(got.status, `${call.path}: ${got.text.slice(0, 300)}`).toBeLessThan(300);
      // What every instance holds of its tenants' rules is not read each time.
      if (entry.tenantWide !== true) expect(got.asked, "what is stored is asked for").not.toEqual([]);
    }
    gateway.logged();
  });
});

const policy = createPolicy(customRoles);
const mayNot = (who: Who, actions: readonly Action[]): boolean => {
  const { roles, scopes } = keys[who] as { roles: string[]; scopes?: Scopes };
  const caller: Caller = { name: who, open: false, tenant: "acme", owner: "alice", user: "alice", key: who, roles };
  const scoped = scopes === undefined ? caller : { ...caller, scopes };
  return actions.some((action) => policy(scoped, action) !== undefined);
};

describe.each(["stranger", "neighbour", "peer", "agent"] as const)("a %s", (who) => {
  let own: Ids;
  /** Administrators of the tenant reach what is the tenant's. */
  const administers = who === "neighbour" || who === "agent";
  const others = naming.filter(({ entry }) => !(administers && entry.tenantWide === true));
  beforeAll(async () => {
    own = await furnish(gateway, as(who), `of-${who}-itself`, who === "stranger");
    gateway.logged();
  }, 60_000);

  // First, as what a caller tries is written into its own tenant's audit log, by the name that it tried.
  test("finds nothing of the victim's in lists and answers that name nothing", async () => {
    for (const { route, entry } of tried)
      for (const call of entry.plain?.() ?? []) {
        const got = await send(who, route, call);
        if (route.action !== "none" && mayNot(who, [route.action])) expect(got.status, call.path).toBe(403);
        else expect(got.status, `${call.path}: ${got.text.slice(0, 300)}`).toBeLessThan(300);
        // Those who administer the tenant read what is the tenant's.
        if (administers && call.path.startsWith("/v1/admin/")) continue;
        expectNoLeak(got);
        for (const [kind, id] of Object.entries(victim))
          if (!/^(?:call|toolu|client|named)/.test(id)) expect(got.text, kind).not.toContain(id);
      }
  });

  test("finds nothing by the victim's own titles and metadata either", async () => {
    const secret = encodeURIComponent(secretOf("victim"));
    const lists = [`metadata[about]=${secret}`, `title_prefix=I know ${secret}`];
    for (const path of lists.map((query) => `/v1/threads?${query}`)) {
      expect((await gateway.send({ method: "GET", path, headers: as("victim") })).text).toContain(secretOf("victim"));
      const got = await gateway.send({ method: "GET", path, headers: as(who) });
      expect(JSON.parse(got.text)).toMatchObject({ data: [], has_more: false });
    }
    const path = `/threads?title_contains=${secret}`;
    expect((await gateway.send({ method: "GET", path, headers: as("victim") })).text).toContain(secretOf("victim"));
    expect(JSON.parse((await gateway.send({ method: "GET", path, headers: as(who) })).text)).toMatchObject({
      threads: [],
    });
    gateway.logged();
  });

  test.each(others)("$name: answers as if it were not there", async ({ route, of }) => {
    const real = of(victim);
    const none = of(missing);
    for (const [at, call] of real.entries()) {
      if (who === "peer" && call.ownWithin === true) continue;
      const got = await send(who, route, call);
      notFound(got, call);
      expectNoLeak(got, victim);
      const other = none[at];
      if (other === undefined) throw new Error("an entry gives as many calls for any ids");
      expect(noted(route, got, victim, own)).toEqual(noted(route, await send(who, route, other), missing, own));
    }
  });

  // One id of the victim's among ids that are the caller's own: a message of its thread, a file of its message.
  const kinds = (): (keyof Ids)[] => Object.keys(victim) as (keyof Ids)[];
  test.each(others)("$name: nor by an id among its own", async ({ route, of }) => {
    const all = of(own);
    for (const kind of kinds()) {
      const mixed = { ...own, [kind]: victim[kind] };
      const unknown = { ...own, [kind]: missing[kind] };
      for (const [at, call] of of(mixed).entries()) {
        if (JSON.stringify(call) === JSON.stringify(all[at])) continue;
        const got = await send(who, route, call);
        expectNoLeak(got, victim);
        const other = of(unknown)[at];
        if (other === undefined) throw new Error("an entry gives as many calls for any ids");
        expect(noted(route, got, victim, own)).toEqual(noted(route, await send(who, route, other), missing, own));
      }
    }
  });

  test("gets no answer of the victim's by its Idempotency-Key", async () => {
    const call = {
      method: "POST",
      path: "/v1/chat/completions",
      body: { model, messages: [{ role: "user", content: `Say ${secretOf("victim")}` }] },
    };
    const once = { "idempotency-key": "canary-once" };
    expect((await gateway.send({ ...call, headers: { ...as("victim"), ...once } })).status).toBe(200);
    const again = await gateway.send({ ...call, headers: { ...as("victim"), ...once } });
    expect(again.headers["idempotent-replayed"]).toBe("true");
    const got = await gateway.send({ ...call, headers: { ...as(who), ...once } });
    expect(got.status).toBe(200);
    expect(got.headers["idempotent-replayed"]).toBeUndefined();
    // The same key for another call is a mismatch for whoever used it, for nobody else.
    const other = { ...call, body: { model, messages: [{ role: "user", content: "Hello" }] } };
    expect((await gateway.send({ ...other, headers: { ...as("victim"), ...once } })).status).toBe(422);
    gateway.logged();
  });
});

test("an id that its client chose is free for everybody else, and tells nothing of its thread", async () => {
  const make = (who: Who, body: object): Promise<Got> =>
    gateway.send({ method: "POST", path: "/v1/threads", headers: as(who), body: { id: victim.namedThread, ...body } });
  for (const who of ["neighbour", "agent", "stranger"] as const) {
    const got = await make(who, { if_exists: "return" });
    expect(got.status).toBe(201);
    expectNoLeak(got, victim);
  }
  gateway.logged();
});

describe("lesser roles, on what is their owner's own", () => {
  const lesser = ["viewer", "member", "operator", "caller", "keeper", "nothing", "lister"] as const;

  const needed = (action: Action, { callsModel }: Entry, { needs = [] }: EntryCall): Action[] => [
    action,
    ...needs,
    ...(callsModel === true ? (["models:call"] as const) : []),
  ];

  test.each(tried)("$name", async ({ route, entry }) => {
    const calls = [...(entry.of?.(victim) ?? []), ...(entry.plain?.() ?? [])];
    for (const who of lesser)
      for (const call of calls) {
        if (route.action === "none" || !mayNot(who, needed(route.action, entry, call))) continue;
        const got = await send(who, route, call);
        expect(got.status, `${who} ${call.path}: ${got.text.slice(0, 300)}`).toBe(403);
        // What somebody had no right to administer is written down.
        if (route.refused === undefined) expect(got.asked, "a refusal asks no store").toEqual([]);
        expectNoLeak(got, victim);
      }
  });

  test("see their own usage alone, whoever else they ask for", async () => {
    for (const path of ["/v1/admin/usage?user=alice", "/v1/admin/usage/entries?user=alice"]) {
      expect((await gateway.send({ method: "GET", path, headers: as("peer") })).status).toBe(403);
      expect((await gateway.send({ method: "GET", path, headers: as("member") })).status).toBe(200);
    }
  });

  test.each(tried.filter(({ entry }) => entry.callsModel === true))(
    "$name: a model out of scope",
    async ({ route, entry }) => {
      for (const call of [...(entry.of?.(victim) ?? []), ...(entry.plain?.() ?? [])]) {
        const got = await send("otherModels", route, call);
        expect(got.status, `${call.path}: ${got.text.slice(0, 300)}`).toBe(403);
        expectNoLeak(got, victim);
      }
    },
  );

  test("no credential, and one that is not known here, get nowhere", async () => {
    for (const { route, entry } of tried)
      for (const call of [...(entry.of?.(victim) ?? []), ...(entry.plain?.() ?? [])])
        for (const authorization of [undefined, "Bearer canary-key-of-nobody-01234567"]) {
          const { path, body, headers = {} } = call;
          const got = await gateway.send({
            method: route.method,
            path,
            headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
            ...(body === undefined ? {} : { body }),
          });
          if (route.action === "none") continue;
          expect(got.status, path).toBe(401);
          expect(got.asked).toEqual([]);
          expectNoLeak(got, victim);
        }
  });
});

test("and after all that, everything is as its owner left it", async () => {
  const now = await inventory(gateway, as("victim"), victim);
  // Others of the victim's own were made meanwhile: lists are longer, the things themselves the same.
  expect(now.slice(0, -1)).toEqual(before.slice(0, -1));
});
