// What a turn asks of its store as its thread grows: calls, items, bytes, the cloud's own units, and what they cost in a year.
//   npm run bench:threads
//   npm run bench:threads -- --stores sqlite --sizes 10,100 --turns 3 --turns-per-day 50000 --dynamodb-write 0.625
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openFileBlobs } from "../lib/blobs/files.ts";
import { openCosmos } from "../lib/stores/cosmos.ts";
import { openDynamodb } from "../lib/stores/dynamodb.ts";
import { openSqlite } from "../lib/stores/sqlite.ts";
import type { Table } from "../lib/stores/table.ts";
import type { ContextStrategy } from "../lib/threads/head.ts";
import { startCosmos } from "../test/support/cosmos.ts";
import { haveJava, startDynamodb } from "../test/support/dynamodb.ts";
import { cosmosMeter, requestMeter, startProxy, type Units } from "./threads/meters.ts";
import { billOf, priceFlags, type PriceName, type Prices, priceWords } from "./threads/prices.ts";
import { type Count, createTally, shareOf, sumOf, type Tally } from "./threads/tally.ts";
import { answerWords, type Bench, fill, newThread, openBench, runTurn, type TurnTimes } from "./threads/turn.ts";

const { values } = parseArgs({
  options: {
    stores: { type: "string", default: "sqlite,dynamodb,cosmos" },
    sizes: { type: "string", default: "10,100,1000,10000" },
    turns: { type: "string", default: "3" },
    ...Object.fromEntries(Object.keys(priceFlags).map((name) => [name, { type: "string" as const }])),
  },
});
const given: Record<string, string | boolean | undefined> = values;
const text = (name: string): string => {
  const value = given[name];
  return typeof value === "string" ? value : "";
};
const sizes = text("sizes").split(",").map(Number);
const turns = Number(text("turns"));
const prices = Object.fromEntries(
  Object.entries(priceFlags).map(([name, usual]) => [name, text(name) === "" ? usual : Number(text(name))]),
) as Prices;

const windows: { name: string; window: number; strategy: ContextStrategy }[] = [
  { name: "8k", window: 8_192, strategy: "window" },
  { name: "128k", window: 128_000, strategy: "window" },
  { name: "8k, summaries", window: 8_192, strategy: "summarize" },
];

type Opened = {
  title: string;
  newTable: () => Promise<Table>;
  onUnits: (listener: (units: Units) => void) => void;
  stop: () => Promise<void>;
};

/** The emulators scan what the services look up. */
const patienceMs = 120_000;

const folder = mkdtempSync(join(tmpdir(), "heddle-bench-"));
const heard = (): { tell: (units: Units) => void; onUnits: Opened["onUnits"] } => {
  let listener: (units: Units) => void = () => undefined;
  return {
    tell: (units) => listener(units),
    onUnits: (next) => {
      listener = next;
    },
  };
};

const stores: Record<string, () => Promise<Opened | undefined>> = {
  sqlite: async () => {
    let tables = 0;
    return {
      title: "SQLite",
      newTable: () => openSqlite({ file: join(folder, `bench-${(tables += 1)}.db`) }),
      onUnits: () => undefined,
      stop: async () => undefined,
    };
  },
  dynamodb: async () => {
    if (!haveJava()) return undefined;
    const local = await startDynamodb();
    const { tell, onUnits } = heard();
    const proxy = await startProxy(local.client.endpoint, requestMeter, tell);
    return {
      title: "DynamoDB (DynamoDB Local; units by the service's rules)",
      newTable: async () =>
        openDynamodb({
          table: await local.createTable(),
          client: { ...local.client, endpoint: proxy.url },
          policy: { timeoutMs: patienceMs },
        }),
      onUnits,
      stop: async () => {
        await proxy.stop();
        await local.stop();
      },
    };
  },
  cosmos: async () => {
    const local = await startCosmos();
    const { tell, onUnits } = heard();
    const proxy = await startProxy(local.options.endpoint, cosmosMeter, tell);
    return {
      title: "Cosmos DB (an emulator; request units by the service's published figures)",
      newTable: async () =>
        openCosmos({
          ...local.options,
          endpoint: proxy.url,
          container: await local.createContainer(),
          policy: { timeoutMs: patienceMs },
        }),
      onUnits,
      stop: async () => {
        await proxy.stop();
        await local.stop();
      },
    };
  },
};

const phases = ["start", "context", "stream", "end", "summary"] as const;
type Measured = {
  size: number;
  window: string;
  phases: Map<string, Count>;
  all: Count;
  times: TurnTimes;
  kept: number;
};

const measure = async (
  bench: Bench,
  tally: Tally,
  thread: string,
  size: number,
  window: (typeof windows)[number],
): Promise<Measured> => {
  await fill(bench, thread, size);
  // The first turn at a size may make a summary of all that was filled in: that is not what a turn costs.
  await runTurn(bench, thread, window.window);
  tally.take();
  const before = tally.keptBytes();
  const times: TurnTimes[] = [];
  for (let turn = 0; turn < turns; turn += 1) times.push(await runTurn(bench, thread, window.window));
  const counts = tally.take();
  const share = new Map(phases.map((phase) => [phase, shareOf(sumOf([counts.get(phase) ?? sumOf([])]), turns)]));
  const mean = (pick: (each: TurnTimes) => number): number => times.reduce((sum, each) => sum + pick(each), 0) / turns;
  return {
    size,
    window: window.name,
    phases: share,
    all: sumOf([...share.values()]),
    kept: (tally.keptBytes() - before) / turns,
    times: {
      startMs: mean((each) => each.startMs),
      contextMs: mean((each) => each.contextMs),
      endMs: mean((each) => each.endMs),
      contextTokens: mean((each) => each.contextTokens),
    },
  };
};

const kb = (bytes: number): string => (bytes / 1024).toFixed(1);
const number = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(1));
const dollars = (value: number): string => (value < 10 ? value.toFixed(2) : Math.round(value).toLocaleString("en-US"));
const print = (line = ""): void => void process.stdout.write(`${line}\n`);
const table = (heads: readonly string[], rows: readonly (readonly string[])[]): void => {
  print(`| ${heads.join(" | ")} |`);
  print(`|${heads.map((_, at) => (at < 2 ? "---" : "---:")).join("|")}|`);
  for (const row of rows) print(`| ${row.join(" | ")} |`);
  print();
};

const printStore = (title: string, measured: readonly Measured[], billed: boolean): void => {
  print(`## ${title}\n`);
  table(
    [
      "messages",
      "window",
      "transactions",
      "other writes",
      "KB written",
      "reads",
      "items read",
      "KB read",
      ...(billed ? ["requests", "read units", "write units"] : []),
      "start ms",
      "context ms",
      "end ms",
    ],
    measured.map(({ size, window, all: count, times }) => [
      size.toLocaleString("en-US"),
      window,
      number(count.transactions),
      number(count.singleWrites),
      kb(count.bytesWritten),
      number(count.gets + count.queries),
      number(count.itemsRead),
      kb(count.bytesRead),
      ...(billed ? [number(count.requests), number(count.readUnits), number(count.writeUnits)] : []),
      times.startMs.toFixed(1),
      times.contextMs.toFixed(1),
      times.endMs.toFixed(1),
    ]),
  );
};

/** What has to hold of every store; each sentence that doesn't is a finding. */
const findings = (name: string, measured: readonly Measured[]): string[] => {
  const found: string[] = [];
  for (const { name: window } of windows) {
    const own = measured.filter((each) => each.window === window);
    const [first, last] = [own[0], own.at(-1)];
    if (first === undefined || last === undefined) continue;
    for (const each of own) {
      const at = `${name}, ${window}, ${each.size} messages`;
      const transactions = (phase: string): number => each.phases.get(phase)?.transactions ?? 0;
      if (transactions("start") !== 1 || transactions("end") !== 1 || each.all.transactions !== 2)
        found.push(`${at}: ${each.all.transactions} transactions a turn, not one at its start and one at its end`);
      const limit = windows.find((known) => known.name === window)?.window ?? 0;
      if (each.times.contextTokens > limit) found.push(`${at}: a context of ${each.times.contextTokens} tokens`);
      // Four characters a token, and as much again for what stands beside the text; a page is read whole.
      if (each.all.bytesRead > limit * 8 + 256 * 1024) found.push(`${at}: ${kb(each.all.bytesRead)} KB read`);
    }
    if (window !== "8k, summaries" && last.all.bytesWritten > first.all.bytesWritten * 1.05)
      found.push(
        `${name}, ${window}: writes grow from ${kb(first.all.bytesWritten)} to ${kb(last.all.bytesWritten)} KB`,
      );
  }
  return found;
};

const run = async (): Promise<void> => {
  const all = new Map<string, Measured[]>();
  const titles = new Map<string, string>();
  for (const name of text("stores").split(",")) {
    const opened = await stores[name]?.();
    if (opened === undefined) {
      print(`${name} is left out: ${name === "dynamodb" ? "DynamoDB Local needs Java" : "there is no such store"}.\n`);
      continue;
    }
    const measured: Measured[] = [];
    for (const window of windows) {
      const opening = await opened.newTable();
      const tally = createTally(
        opening,
        openFileBlobs({ folder: join(folder, "blobs") }),
        name === "dynamodb" ? "dynamodb" : undefined,
      );
      opened.onUnits((units) => tally.add({ ...units, requests: 1 }));
      const bench = openBench(tally);
      const thread = await newThread(bench, window.strategy);
      for (const size of sizes) measured.push(await measure(bench, tally, thread, size, window));
      await opening.close();
    }
    printStore(opened.title, measured, billOf[name] !== undefined);
    all.set(name, measured);
    titles.set(name, opened.title);
    await opened.stop();
  }

  const [firstName, measured] = [...all][0] ?? ["", []];
  const middle = measured.find(
    ({ size, window }) => size === (sizes.includes(1000) ? 1000 : sizes[0]) && window === "8k",
  );
  if (middle !== undefined) {
    print(`## Where in the turn (${titles.get(firstName)}, ${middle.size} messages, window 8k)\n`);
    table(
      [
        "phase",
        "what",
        "transactions",
        "other writes",
        "items written",
        "KB written",
        "reads",
        "items read",
        "KB read",
      ],
      phases.map((phase) => {
        const count = middle.phases.get(phase) ?? sumOf([]);
        const words = {
          start: "question, run, lease",
          context: "the history",
          stream: `${answerWords} words in 8 s: event blocks, renewal of the lease`,
          end: "answer, run, usage, last events, lease given back",
          summary: "whether one is due",
        };
        return [
          phase,
          words[phase],
          number(count.transactions),
          number(count.singleWrites),
          number(count.itemsWritten),
          kb(count.bytesWritten),
          number(count.gets + count.queries),
          number(count.itemsRead),
          kb(count.bytesRead),
        ];
      }),
    );
  }

  print("## A year\n");
  for (const name of Object.keys(priceFlags) as PriceName[])
    print(`- \`--${name} ${prices[name]}\`: ${priceWords[name]}`);
  print();
  table(
    [
      "store",
      "window",
      "messages",
      "operations, $",
      "storage at the first year's end, GB",
      "storage, $",
      "together, $",
    ],
    [...all].flatMap(([name, list]) => {
      const bill = billOf[name];
      if (bill === undefined) return [];
      return list
        .filter(({ size }) => size >= Math.min(1000, Math.max(...sizes)))
        .map(({ window, size, all: count, kept }) => {
          const { operations, storage } = bill(count, kept, prices);
          const gigabytes = (kept * prices["turns-per-day"] * 365) / 1024 ** 3;
          return [
            name,
            window,
            size.toLocaleString("en-US"),
            dollars(operations),
            gigabytes.toFixed(1),
            dollars(storage),
            dollars(operations + storage),
          ];
        });
    }),
  );
  const puts = prices["turns-per-day"] * 365;
  print(
    `A body over 100 KB or an attachment in each turn adds one put: $${dollars((puts * prices["s3-put"]) / 1e3)} (S3), $${dollars((puts * prices["blob-put"]) / 1e4)} (Blob) a year.\n`,
  );

  const found = [...all].flatMap(([name, list]) => findings(name, list));
  print("## What has to hold\n");
  print(
    found.length === 0
      ? "Two transactions a turn, appends constant, reads bounded by the window: on every store."
      : found.map((each) => `- ${each}`).join("\n"),
  );
  if (found.length > 0) process.exitCode = 1;
};

try {
  await run();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
