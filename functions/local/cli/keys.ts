// `heddle keys`: API keys, made, shown, changed and revoked over the admin API; the first of them on the box itself.
import { type Given, secondsOf, serverHelp, serverOptions } from "./arguments.ts";
import { clientOf } from "./client.ts";
import { type Command, type Io, UsageError } from "./io.ts";
import { fieldsText, jsonText, type Row, rowOf, rowsOf, tableText, timeText } from "./table.ts";
import { commandOf, type Verb } from "./verbs.ts";

const help = `heddle keys create --name NAME [options]   make a key; it is shown once
heddle keys create --admin                  the first key, on the box itself, without a server
heddle keys list [--tenant T]
heddle keys show ID
heddle keys rotate ID [--overlap 24h]       a new key; the old one is good for so long
heddle keys revoke ID                       at once, everywhere within 10 seconds

create:
  --role ROLE        viewer, member (default), operator, admin, or one of yours; may be repeated
  --tenant, --owner, --user NAME
  --action ACTION    only this (models:call, threads:*); may be repeated
  --model MODEL      only this (an alias, provider/model, openai/*); may be repeated
  --act-for OWNER    may act for this owner (heddle-user), or * for any; may be repeated
  --rpm N  --tpm N  --concurrent N            requests and tokens a minute, calls at once
  --budget 10/day    dollars per day, month or total; may be repeated
  --expires-in 90d   or --expires-at 2027-01-01
  --self-proving     admitted without asking the store; only by revoking can it be changed
  --everywhere       administers every tenant
  --admin            needs no server: opens the store that the configuration names, and makes
                     an admin of every tenant there; prints the key alone, once
${serverHelp}`;

const list = { type: "string", multiple: true } as const;
const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;

const createOptions = {
  ...serverOptions,
  name: text,
  role: list,
  tenant: text,
  owner: text,
  user: text,
  action: list,
  model: list,
  "act-for": list,
  rpm: text,
  tpm: text,
  concurrent: text,
  budget: list,
  "expires-in": text,
  "expires-at": text,
  "self-proving": flag,
  everywhere: flag,
  admin: flag,
} as const;

const budgetOf = (given: string): Row => {
  const [, amount, per] = /^\$?(\d+(?:\.\d+)?)\/(day|month|total)$/.exec(given) ?? [];
  if (amount === undefined) throw new UsageError("--budget: expected dollars and a period, such as 10/day");
  return { amount: Number(amount), per };
};

const timeOf = (given: string | undefined): number | undefined => {
  if (given === undefined) return undefined;
  const time = Date.parse(given);
  if (Number.isNaN(time)) throw new UsageError("--expires-at: expected a date such as 2027-01-01");
  return time;
};

/** Undefined where it holds nothing. */
const filled = (fields: Row): Row | undefined => {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
};

const some = (given: Given, name: string): string[] | undefined => {
  const found = given.list(name);
  return found.length === 0 ? undefined : found;
};

const bodyOf = (given: Given): Row => {
  const budgets = some(given, "budget")?.map(budgetOf);
  const owners = some(given, "act-for");
  const expiresIn = given.text("expires-in");
  return {
    name: given.text("name"),
    roles: some(given, "role"),
    tenant: given.text("tenant"),
    owner: given.text("owner"),
    user: given.text("user"),
    scopes: filled({
      actions: some(given, "action"),
      models: some(given, "model"),
      owners: owners?.includes("*") === true ? "*" : owners,
    }),
    limits: filled({
      requests_per_minute: given.number("rpm"),
      tokens_per_minute: given.number("tpm"),
      concurrent: given.number("concurrent"),
      budgets,
    }),
    expires_in_seconds: expiresIn === undefined ? undefined : secondsOf(expiresIn, "expires-in"),
    expires_at: timeOf(given.text("expires-at")),
    self_proving: given.flag("self-proving") ? true : undefined,
    everywhere: given.flag("everywhere") ? true : undefined,
  };
};

/** The key alone goes to stdout, so that it can be piped to where it is kept. */
const tellCreated = (answer: unknown, given: Given, io: Io): void => {
  const { key, ...record } = rowOf(answer);
  if (given.flag("json")) {
    io.out(jsonText(answer));
    return;
  }
  io.err(`${fieldsText(record)}\nThe key, shown this once:\n`);
  io.out(`${String(key)}\n`);
};

const create: Verb = {
  options: createOptions,
  run: async (given, io) => {
    if (given.flag("admin")) {
      const { createAdminKey } = await import("./admin-key.ts");
      tellCreated(await createAdminKey({ name: given.text("name") ?? "admin", io }), given, io);
      return 0;
    }
    if (given.text("name") === undefined) throw new UsageError("expected --name NAME, or --admin");
    const answer = await clientOf(given, io).call("POST", "/keys", { body: bodyOf(given) });
    tellCreated(answer, given, io);
    return 0;
  },
};

const show = (answer: unknown, given: Given, io: Io): number => {
  io.out(given.flag("json") ? jsonText(answer) : fieldsText(rowOf(answer)));
  return 0;
};

const listVerb: Verb = {
  options: { ...serverOptions, tenant: text, limit: text, cursor: text },
  run: async (given, io) => {
    const answer = await clientOf(given, io).call("GET", "/keys", {
      query: { tenant: given.text("tenant"), limit: given.text("limit"), cursor: given.text("cursor") },
    });
    if (given.flag("json")) io.out(jsonText(answer));
    else {
      io.out(
        tableText(
          rowsOf(answer),
          [
            { title: "id", of: ({ id }) => id },
            { title: "name", of: ({ name }) => name },
            { title: "status", of: ({ status }) => status },
            { title: "roles", of: ({ roles }) => roles },
            { title: "tenant", of: ({ tenant }) => tenant },
            { title: "owner", of: ({ owner }) => owner },
            { title: "expires", of: ({ expires_at: at }) => timeText(at) },
            { title: "last used", of: ({ last_used_at: at }) => timeText(at) },
          ],
          "no keys",
        ),
      );
      const { next_cursor: next } = rowOf(answer);
      if (typeof next === "string") io.err(`more: --cursor ${next}\n`);
    }
    return 0;
  },
};

const idOf = ({ words: [id = ""] }: Given): string => encodeURIComponent(id);

export const keysCommand: Command = commandOf("keys", help, {
  create,
  list: listVerb,
  show: {
    options: serverOptions,
    words: ["id"],
    run: async (given, io) => show(await clientOf(given, io).call("GET", `/keys/${idOf(given)}`), given, io),
  },
  rotate: {
    options: { ...serverOptions, overlap: text },
    words: ["id"],
    run: async (given, io) => {
      const overlap = given.text("overlap");
      const body = overlap === undefined ? {} : { overlap_seconds: secondsOf(overlap, "overlap") };
      tellCreated(await clientOf(given, io).call("POST", `/keys/${idOf(given)}/rotate`, { body }), given, io);
      return 0;
    },
  },
  revoke: {
    options: serverOptions,
    words: ["id"],
    run: async (given, io) => show(await clientOf(given, io).call("POST", `/keys/${idOf(given)}/revoke`), given, io),
  },
});
