// One of several processes that spend at once: opens the store, says that it is ready, and when told makes its calls all together.
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { LimitsConfig } from "../../lib/config-types.ts";
import type { Table } from "../../lib/stores/table.ts";
import { caller, createLimits, demand, recordOf } from "./setup.ts";

export type Store =
  | { kind: "sqlite"; file: string }
  | { kind: "dynamodb"; table: string; client: object }
  | { kind: "cosmos"; container: string; options: object };

export type Job = {
  store: Store;
  limits: Partial<LimitsConfig>;
  calls: number;
  now: number;
  worker: number;
  workMs: number;
};

export const openStore = async (store: Store): Promise<Table> => {
  if (store.kind === "sqlite") return (await import("../../lib/stores/sqlite.ts")).openSqlite({ file: store.file });
  if (store.kind === "dynamodb")
    return (await import("../../lib/stores/dynamodb.ts")).openDynamodb({ table: store.table, client: store.client });
  return (await import("../../lib/stores/cosmos.ts")).openCosmos({
    container: store.container,
    ...(store.options as { endpoint: string; key: string; database: string }),
  });
};

const work = async ({ store, limits, calls, now, worker, workMs }: Job): Promise<void> => {
  const table = await openStore(store);
  const spending = createLimits(table, limits, { clock: { now } });
  process.stdout.write("ready\n");
  await new Promise<void>((resolve) => process.stdin.once("data", () => resolve()));
  const outcomes: Record<string, number> = {};
  const count = (what: string): void => void (outcomes[what] = (outcomes[what] ?? 0) + 1);
  await Promise.all(
    Array.from({ length: calls }, async (_, at) => {
      const asked = demand(caller({ user: `user${at % 3}` }), { input: 100, output: 900, id: `w${worker}c${at}` });
      try {
        const permit = await spending.ask(asked);
        count("passed");
        await sleep(Math.random() * workMs);
        await spending.record(recordOf(asked, { input: 100, output: 900 }), asked.caller, undefined, permit);
        count("settled");
      } catch (thrown) {
        count((thrown as { code?: string }).code ?? String(thrown));
      }
    }),
  );
  await spending.flush();
  process.stdout.write(`${JSON.stringify({ outcomes, errors: spending.errors })}\n`);
  await table.close();
};

if (process.argv[1] === import.meta.filename) {
  const lines = createInterface({ input: process.stdin });
  const first = await new Promise<string>((resolve) => lines.once("line", resolve));
  lines.close();
  process.stdin.resume();
  await work(JSON.parse(first) as Job);
  process.exit(0);
}
