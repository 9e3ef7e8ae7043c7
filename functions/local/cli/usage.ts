// `heddle usage`: what was spent, by whom, on what.
import { serverHelp, serverOptions } from "./arguments.ts";
import { clientOf } from "./client.ts";
import type { Command } from "./io.ts";
import { type Column, dollarText, jsonText, type Row, rowOf, rowsOf, tableText } from "./table.ts";
import { commandOf } from "./verbs.ts";

const help = `heddle usage [options]   tokens and dollars

  --from, --to DATE  2026-11-01
  --group-by NAMES   day, key, user, provider, model, operation; with commas
  --api-key ID  --user U  --provider P  --model M   only these
  --tenant T         another tenant's; for admins of every tenant
  --csv              as CSV
${serverHelp}`;

const text = { type: "string" } as const;

/** Groups first, then numbers; columns of nothing but zeros are left out. */
const columnsOf = (rows: readonly Row[]): Column[] =>
  [...new Set(rows.flatMap((row) => Object.keys(row)))]
    .filter(
      (name) =>
        name !== "object" && rows.some((row) => row[name] !== 0 && row[name] !== undefined && row[name] !== null),
    )
    .map((name) => {
      const right = rows.every((row) => typeof row[name] === "number" || row[name] === undefined || row[name] === null);
      return {
        title: name.replaceAll("_", " "),
        of: (row) => (name === "cost" ? dollarText(row[name]) : row[name]),
        right,
      };
    });

/** Groups and sums may lie one deeper. */
const flat = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).flatMap(([name, value]) =>
      typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [[name, value]],
    ),
  );

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
        const rows = rowsOf(answer).map(flat);
        io.out(tableText(rows, columnsOf(rows), "no usage"));
        const { next_cursor: next } = rowOf(answer);
        if (typeof next === "string") io.err("there is more: narrow the time, or use --json or --csv\n");
        return 0;
      },
    },
  },
  "show",
);
