// `heddle audit`: who changed what.
import { serverHelp, serverOptions } from "./arguments.ts";
import { clientOf } from "./client.ts";
import type { Command } from "./io.ts";
import { jsonText, rowOf, rowsOf, tableText, timeText } from "./table.ts";
import { commandOf } from "./verbs.ts";

const help = `heddle audit [list] [options]   changes by administrators, the newest first

  --from, --to TIME  2026-11-21, 2026-11-21T10:00:00Z; default: the last thirty days
  --actor KEY        the id or name of the key that acted
  --action ACTION    keys.create, limits.*, threads.export …
  --tenant T         another tenant's; for admins of every tenant
  --limit N          1 to 100; default 20
  --cursor CURSOR    the page after
  --csv              as CSV
${serverHelp}`;

const text = { type: "string" } as const;

export const auditCommand: Command = commandOf(
  "audit",
  help,
  {
    list: {
      options: {
        ...serverOptions,
        from: text,
        to: text,
        actor: text,
        action: text,
        tenant: text,
        limit: text,
        cursor: text,
        csv: { type: "boolean" },
      },
      run: async (given, io) => {
        const names = ["from", "to", "actor", "action", "tenant", "limit", "cursor"] as const;
        const query = Object.fromEntries(names.map((name) => [name, given.text(name)]));
        const client = clientOf(given, io);
        if (given.flag("csv")) {
          for await (const piece of client.download("/audit", { ...query, format: "csv" })) io.out(piece);
          return 0;
        }
        const answer = await client.call("GET", "/audit", { query });
        if (given.flag("json")) {
          io.out(jsonText(answer));
          return 0;
        }
        io.out(
          tableText(
            rowsOf(answer),
            [
              { title: "time", of: ({ at }) => timeText(at) },
              { title: "actor", of: ({ actor }) => rowOf(actor)["name"] },
              { title: "action", of: ({ action }) => action },
              { title: "target", of: ({ target }) => target },
              { title: "outcome", of: ({ outcome }) => outcome },
              { title: "tenant", of: ({ tenant }) => tenant },
              { title: "request", of: ({ request_id: id }) => id },
            ],
            "nothing",
          ),
        );
        const { next_cursor: next } = rowOf(answer);
        if (typeof next === "string") io.err(`more: --cursor ${next}\n`);
        return 0;
      },
    },
  },
  "list",
);
