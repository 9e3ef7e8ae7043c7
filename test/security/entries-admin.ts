// The routes of administration as the crossing suite calls them. What is a tenant's is its administrators' own (`tenantWide`): there
// only another tenant, and those without the right, are to find nothing.
import type { Entry, EntryCall } from "./entries.ts";
import { type Ids, model } from "./world.ts";

const base = "/v1/admin";
const of = (make: (ids: Ids) => EntryCall[]): Entry => ({ of: make, tenantWide: true });
const paths = (make: (ids: Ids) => string[]): Entry => of((ids) => make(ids).map((path) => ({ path: base + path })));
/** A tenant that is named: for whoever is of another, it is a 403. */
const acme = "tenant=acme";

const match = { keys: ["nobody"], tenants: ["acme"] };
const rate = { by: "key", requestsPerMinute: 1_000, match };
const budget = { by: "tenant", amount: 5, per: "total", match };
let named = 0;
const newName = (): string => {
  named += 1;
  return `made-${named}`;
};

const key = "\\/v1\\/admin\\/keys\\/([^/]+)";
const rates = "\\/v1\\/admin\\/limits\\/rates";
const budgets = "\\/v1\\/admin\\/limits\\/budgets";
const thread = "\\/v1\\/admin\\/threads\\/([^/]+)";

/** Both ways to name a thread of another tenant: by its tenant, and as if it were one's own. */
const ofThread = (rest: string): Entry =>
  paths((ids) => [
    `/threads/${ids.thread}${rest}?owner=alice`,
    `/threads/${ids.namedThread}${rest}?owner=alice&${acme}`,
  ]);

const usage = (...asked: string[]): Entry => of(() => asked.map((path) => ({ path: base + path, ownWithin: true })));

export const adminEntries: Readonly<Record<string, Entry>> = {
  "GET ^\\/v1\\/admin\\/whoami$": { plain: () => [{ path: `${base}/whoami` }] },
  "GET ^\\/v1\\/admin\\/tenants$": of(() => [{ path: `${base}/tenants`, always: 403 }]),

  "POST ^\\/v1\\/admin\\/keys$": {
    ...of(() => [{ path: `${base}/keys`, body: { name: "made", tenant: "acme", roles: ["viewer"] } }]),
    plain: () => [{ path: `${base}/keys`, body: { name: "made", roles: ["viewer"] } }],
  },
  "GET ^\\/v1\\/admin\\/keys$": {
    ...paths(() => [`/keys?${acme}`]),
    plain: () => [{ path: `${base}/keys?limit=100` }],
  },
  [`GET ^${key}$`]: paths(({ apiKey }) => [`/keys/${apiKey}`]),
  [`PATCH ^${key}$`]: of(({ apiKey }) => [
    { path: `${base}/keys/${apiKey}`, body: { name: "taken over" } },
    { path: `${base}/keys/${apiKey}`, body: { roles: ["viewer"], scopes: null, limits: null } },
  ]),
  [`DELETE ^${key}$`]: paths(({ apiKey }) => [`/keys/${apiKey}`]),
  [`POST ^${key}\\/rotate$`]: of(({ apiKey }) => [{ path: `${base}/keys/${apiKey}/rotate`, body: {} }]),
  [`POST ^${key}\\/revoke$`]: of(({ apiKey }) => [{ path: `${base}/keys/${apiKey}/revoke`, body: {} }]),

  [`GET ^${rates}$`]: { ...paths(() => [`/limits/rates?${acme}`]), plain: () => [{ path: `${base}/limits/rates` }] },
  [`POST ^${rates}$`]: of(() => [{ path: `${base}/limits/rates`, body: { name: newName(), ...rate } }]),
  [`GET ^${rates}\\/([^/]+)$`]: paths((ids) => [`/limits/rates/${ids.rate}`]),
  [`PUT ^${rates}\\/([^/]+)$`]: of((ids) => [{ path: `${base}/limits/rates/${ids.rate}`, body: rate }]),
  [`DELETE ^${rates}\\/([^/]+)$`]: paths((ids) => [`/limits/rates/${ids.rate}`]),
  [`GET ^${budgets}$`]: {
    ...paths(() => [`/limits/budgets?${acme}`]),
    plain: () => [{ path: `${base}/limits/budgets` }],
  },
  [`POST ^${budgets}$`]: of(() => [{ path: `${base}/limits/budgets`, body: { name: newName(), ...budget } }]),
  [`GET ^${budgets}\\/([^/]+)$`]: paths((ids) => [`/limits/budgets/${ids.budget}`]),
  [`PUT ^${budgets}\\/([^/]+)$`]: of((ids) => [{ path: `${base}/limits/budgets/${ids.budget}`, body: budget }]),
  [`DELETE ^${budgets}\\/([^/]+)$`]: paths((ids) => [`/limits/budgets/${ids.budget}`]),

  "GET ^\\/v1\\/admin\\/budgets$": {
    ...paths(({ apiKey }) => [`/budgets?${acme}`, `/budgets?key=${apiKey}`, `/budgets?${acme}&key=${apiKey}`]),
    plain: () => [{ path: `${base}/budgets` }],
  },
  "POST ^\\/v1\\/admin\\/budgets\\/reset$": of((ids) => [
    { path: `${base}/budgets/reset`, body: { rule: ids.budget } },
    { path: `${base}/budgets/reset`, body: { rule: ids.budget, tenant: "acme" } },
  ]),

  "GET ^\\/v1\\/admin\\/usage$": {
    ...usage(`/usage?${acme}`, `/usage?${acme}&group_by=user,key&format=csv`),
    plain: () => [{ path: `${base}/usage?group_by=user,key,model` }, { path: `${base}/usage?format=csv` }],
  },
  "GET ^\\/v1\\/admin\\/usage\\/entries$": {
    ...usage(`/usage/entries?${acme}`, `/usage/entries?${acme}&format=csv`),
    plain: () => [{ path: `${base}/usage/entries` }, { path: `${base}/usage/entries?model=${model}` }],
  },
  "GET ^\\/v1\\/admin\\/audit$": {
    ...paths(() => [`/audit?${acme}`, `/audit?${acme}&format=csv`]),
    plain: () => [{ path: `${base}/audit?limit=100` }],
  },

  "GET ^\\/v1\\/admin\\/threads$": {
    ...paths(() => [`/threads?owner=alice&${acme}`]),
    plain: () => [{ path: `${base}/threads?owner=carol&limit=100` }],
  },
  [`DELETE ^${thread}$`]: ofThread(""),
  [`GET ^${thread}\\/export$`]: ofThread("/export"),
};
