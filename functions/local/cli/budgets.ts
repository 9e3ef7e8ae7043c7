// `heddle budgets`: how much is used, and the budgets that are set at run time.
import { serverHelp, serverOptions } from "./arguments.ts";
import { clientOf } from "./client.ts";
import { type Command, UsageError } from "./io.ts";
import { dollarText, fieldsText, jsonText, rowOf, rowsOf, tableText, timeText } from "./table.ts";
import { commandOf } from "./verbs.ts";

const help = `heddle budgets list [--tenant T] [--api-key ID] [--user U]   used, left, and when it begins anew
heddle budgets set NAME --amount 100 --per month --by tenant [options]
heddle budgets delete NAME
heddle budgets reset NAME [--api-key ID | --user U]          what is used becomes nothing

  --amount N         dollars
  --per PERIOD       day, month or total
  --by SUBJECT       each key, user or tenant has the amount for itself
  --tenant T         only this tenant (list, reset: of this tenant); for admins of every tenant
  --api-key ID       only, or of, this key; may be repeated for set
  --user U           only, or of, this user; may be repeated for set
  --model M          only these models; may be repeated
  --alert SHARE      tell the webhook at this share (0.8); may be repeated
Budgets of heddle.yaml are listed too, and changed there.
${serverHelp}`;

const text = { type: "string" } as const;
const list = { type: "string", multiple: true } as const;

const filled = (fields: Readonly<Record<string, readonly string[] | undefined>>): object | undefined => {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined && value.length > 0);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
};

export const budgetsCommand: Command = commandOf(
  "budgets",
  help,
  {
    list: {
      options: { ...serverOptions, tenant: text, "api-key": text, user: text },
      run: async (given, io) => {
        const answer = await clientOf(given, io).call("GET", "/budgets", {
          query: { tenant: given.text("tenant"), key: given.text("api-key"), user: given.text("user") },
        });
        io.out(
          given.flag("json")
            ? jsonText(answer)
            : tableText(
                rowsOf(answer),
                [
                  { title: "budget", of: ({ rule }) => rule },
                  { title: "from", of: ({ source }) => source },
                  { title: "by", of: ({ by }) => by },
                  { title: "of", of: ({ subject }) => subject },
                  { title: "period", of: ({ period }) => period },
                  { title: "amount", of: ({ amount }) => dollarText(amount), right: true },
                  { title: "used", of: ({ used }) => dollarText(used), right: true },
                  { title: "left", of: ({ remaining }) => dollarText(remaining), right: true },
                  { title: "begins anew", of: ({ resets_at: at }) => timeText(at) },
                ],
                "no budgets of this tenant; by key or user: --api-key, --user",
              ),
        );
        return 0;
      },
    },
    set: {
      options: {
        ...serverOptions,
        amount: text,
        per: text,
        by: text,
        tenant: text,
        "api-key": list,
        user: list,
        model: list,
        alert: list,
      },
      words: ["name"],
      run: async (given, io) => {
        const [name = ""] = given.words;
        const amount = given.number("amount");
        if (amount === undefined) throw new UsageError("expected --amount, in dollars");
        const per = given.text("per");
        if (per === undefined) throw new UsageError("expected --per day, month or total");
        const tenant = given.text("tenant");
        const alerts = given.list("alert").map(Number);
        if (alerts.some((share) => !(share > 0))) throw new UsageError("--alert: expected a share such as 0.8");
        const match = filled({
          tenants: tenant === undefined ? undefined : [tenant],
          keys: given.list("api-key"),
          users: given.list("user"),
          models: given.list("model"),
        });
        const answer = await clientOf(given, io).call("PUT", `/limits/budgets/${encodeURIComponent(name)}`, {
          query: { tenant },
          body: {
            by: given.text("by") ?? "tenant",
            amount,
            per,
            ...(match === undefined ? {} : { match }),
            ...(alerts.length === 0 ? {} : { alerts }),
          },
        });
        const { rule } = rowOf(answer);
        io.out(given.flag("json") ? jsonText(answer) : fieldsText(rowOf(rule)));
        return 0;
      },
    },
    delete: {
      options: { ...serverOptions, tenant: text },
      words: ["name"],
      run: async (given, io) => {
        const [name = ""] = given.words;
        const answer = await clientOf(given, io).call("DELETE", `/limits/budgets/${encodeURIComponent(name)}`, {
          query: { tenant: given.text("tenant") },
        });
        io.out(given.flag("json") ? jsonText(answer) : fieldsText(rowOf(answer)));
        return 0;
      },
    },
    reset: {
      options: { ...serverOptions, tenant: text, "api-key": text, user: text },
      words: ["name"],
      run: async (given, io) => {
        const [rule] = given.words;
        const answer = await clientOf(given, io).call("POST", "/budgets/reset", {
          body: { rule, tenant: given.text("tenant"), key: given.text("api-key"), user: given.text("user") },
        });
        io.out(given.flag("json") ? jsonText(answer) : fieldsText(rowOf(answer)));
        return 0;
      },
    },
  },
  "list",
);
