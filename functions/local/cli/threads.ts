// `heddle threads`: an owner's threads, for those who run the gateway.
import { type Given, serverHelp, serverOptions } from "./arguments.ts";
import { clientOf } from "./client.ts";
import { type Command, UsageError } from "./io.ts";
import { fieldsText, jsonText, rowOf, rowsOf, tableText, timeText } from "./table.ts";
import { commandOf } from "./verbs.ts";

const help = `heddle threads list --owner O        which there are, without what is in them
heddle threads export ID --owner O   everything in it, as NDJSON; stands in the audit log
heddle threads delete ID --owner O   with everything it holds

  --owner OWNER      whose threads
  --tenant T         of another tenant; for admins of every tenant
  --limit N, --cursor CURSOR
${serverHelp}`;

const text = { type: "string" } as const;
const options = { ...serverOptions, owner: text, tenant: text } as const;

const whose = (given: Given): { owner: string; tenant: string | undefined } => {
  const owner = given.text("owner");
  if (owner === undefined) throw new UsageError("expected --owner");
  return { owner, tenant: given.text("tenant") };
};

export const threadsCommand: Command = commandOf("threads", help, {
  list: {
    options: { ...options, limit: text, cursor: text },
    run: async (given, io) => {
      const answer = await clientOf(given, io).call("GET", "/threads", {
        query: { ...whose(given), limit: given.text("limit"), cursor: given.text("cursor") },
      });
      if (given.flag("json")) {
        io.out(jsonText(answer));
        return 0;
      }
      io.out(
        tableText(
          rowsOf(answer),
          [
            { title: "id", of: ({ id }) => id },
            { title: "status", of: ({ status }) => status },
            { title: "messages", of: ({ message_count: count }) => count, right: true },
            { title: "created", of: ({ created_at: at }) => timeText(at) },
            { title: "changed", of: ({ updated_at: at }) => timeText(at) },
            { title: "expires", of: ({ expires_at: at }) => timeText(at) },
          ],
          "no threads",
        ),
      );
      const { next_cursor: next } = rowOf(answer);
      if (typeof next === "string") io.err(`more: --cursor ${next}\n`);
      return 0;
    },
  },
  export: {
    options,
    words: ["id"],
    run: async (given, io) => {
      const [id = ""] = given.words;
      const path = `/threads/${encodeURIComponent(id)}/export`;
      for await (const piece of clientOf(given, io).download(path, whose(given))) io.out(piece);
      return 0;
    },
  },
  delete: {
    options,
    words: ["id"],
    run: async (given, io) => {
      const [id = ""] = given.words;
      const path = `/threads/${encodeURIComponent(id)}`;
      const answer = await clientOf(given, io).call("DELETE", path, { query: whose(given) });
      io.out(given.flag("json") ? jsonText(answer) : fieldsText(rowOf(answer)));
      return 0;
    },
  },
});
