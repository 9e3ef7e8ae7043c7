// `heddle usage`: what was spent, by whom, on what.
import { serverHelp, serverOptions } from "./arguments.ts";
import { clientOf } from "./client.ts";
import type { Command } from "./io.ts";
import { type Column, dollarText, jsonText, type Row, rowsOf, tableText } from "./table.ts";
import { commandOf } from "./verbs.ts";

const help = `heddle usage [options]   tokens and dollars

  --from, --to TIME  2026-11-01, 2026-11-01T10:00:00Z; default: this month. --to is not included
  --group-by NAMES   day, tenant, key, user, provider, model, operation, wire; with commas
  --api-key ID  --user U  --provider P  --model M   only these
  --tenant T         another tenant's, or '*' for all; for admins of every tenant
  --csv              as CSV
${serverHelp}`;

const text = { type: "string" } as const;

/** Groups first, then sums; a sum that is nothing everywhere is left out. */
const columnsOf = (rows: readonly Row[]): Column[] => {
  const [first = {}] = rows;
  return Object.keys(first)
    .filter((name) => rows.some((row) => row[name] !== 0))
    .map((name) => ({
      title: name.replaceAll("_", " "),
      of: (row) => (name === "cost" ? dollarText(row[name]) : row[name]),
      right: typeof first[name] === "number",
    }));
};

export const usageCommand: Command = commandOf(
  "usage",
  help,
  {
    show: {
      options: {
        ...serverOptions,
        from: text,
        to: text,
        "group-by": text,
        "api-key": text,
        user: text,
        provider: text,
        model: text,
        tenant: text,
        csv: { type: "boolean" },
      },
      run: async (given, io) => {
        const query = {
          from: given.text("from"),
          to: given.text("to"),
          group_by: given.text("group-by"),
          key: given.text("api-key"),
          user: given.text("user"),
          provider: given.text("provider"),
          model: given.text("model"),
          tenant: given.text("tenant"),
        };
        const client = clientOf(given, io);
        if (given.flag("csv")) {
          for await (const piece of client.download("/usage", { ...query, format: "csv" })) io.out(piece);
          return 0;
        }
        const answer = await client.call("GET", "/usage", { query });
        if (given.flag("json")) {
          io.out(jsonText(answer));
          return 0;
        }
        const rows = rowsOf(answer);
        io.out(tableText(rows, columnsOf(rows), "no usage"));
        return 0;
      },
    },
  },
  "show",
);
