// Side by side in one run: a bare node:http proxy, Heddle on the same wire, Heddle across wires, Portkey. The gateway has one core, load and upstream the other.
//   npm run bench                 everything (about six minutes)
//   npm run bench -- --quick      shorter rounds, for a look
//   npm run bench -- --only plain,stream,large,paced,slow,start
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { LoadPlan, LoadResult } from "./load.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const upstreamPort = 9_901;
const quick = process.argv.includes("--quick");
const onlyAt = process.argv.indexOf("--only");
const only = onlyAt < 0 ? undefined : new Set((process.argv[onlyAt + 1] ?? "").split(","));
const wanted = (name: string): boolean => only === undefined || only.has(name);
const rounds = quick ? 2 : 5;
const seconds = quick ? 1.5 : 3;
const canPin = cpus().length > 1 && existsSync("/usr/bin/taskset");
const fakeKey = "bench-key-0123456789abcdef";

type Subject = {
  name: string;
  port: number;
  command: string[];
  env: Record<string, string>;
  path: string;
  headers: Record<string, string>;
  body: (model: string, stream: boolean, text: string) => unknown;
};

const chatBody = (model: string, stream: boolean, text: string): unknown => ({
  model,
  ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  messages: [{ role: "user", content: text }],
});

const portkey = here("./peers/node_modules/@portkey-ai/gateway/build/start-server.js");
const heddle = here("../dist/local/heddle.js");
/** As `npm start` sets them: the youngest objects of a gateway live as long as a stream, and a large nursery only keeps them in memory. */
const heddleFlags = ["--max-semi-space-size=8", "--no-parallel-scavenge"];
const heddleEnv = (port: number): Record<string, string> => ({
  HEDDLE_CONFIG: here("./heddle.yaml"),
  HEDDLE_PORT: String(port),
});

const subjects: Subject[] = [
  {
    name: "raw",
    port: 9_902,
    command: ["node", here("./raw-proxy.mjs")],
    env: { PORT: "9902", UPSTREAM: `http://127.0.0.1:${upstreamPort}` },
    path: "/v1/chat/completions",
    headers: {},
    body: chatBody,
  },
  {
    name: "heddle same wire",
    port: 9_903,
    command: ["node", ...heddleFlags, heddle, "serve"],
    env: heddleEnv(9_903),
    path: "/v1/chat/completions",
    headers: { authorization: `Bearer ${fakeKey}` },
    body: chatBody,
  },
  {
    name: "heddle cross wire",
    port: 9_903,
    command: ["node", ...heddleFlags, heddle, "serve"],
    env: heddleEnv(9_903),
    path: "/v1/messages",
    headers: { "x-api-key": fakeKey, "anthropic-version": "2023-06-01" },
    body: (model, stream, text) => ({ model, max_tokens: 1_000, stream, messages: [{ role: "user", content: text }] }),
  },
  {
    name: "portkey",
    port: 9_904,
    command: ["node", portkey, "--port=9904", "--headless"],
    env: { PORT: "9904" },
    path: "/v1/chat/completions",
    headers: {
      "x-portkey-provider": "openai",
      "x-portkey-custom-host": `http://127.0.0.1:${upstreamPort}/v1`,
      authorization: "Bearer fake",
    },
    body: chatBody,
  },
];
const peers = subjects.filter((subject) => subject.name !== "portkey" || existsSync(portkey));

const pinned = (core: number, command: readonly string[]): [string, string[]] => {
  const all = canPin ? ["taskset", "-c", String(core), ...command] : [...command];
  return [all[0] ?? "node", all.slice(1)];
};

const start = async (subject: Pick<Subject, "command" | "env" | "port">, core: number): Promise<ChildProcess> => {
  const [file, args] = pinned(core, subject.command);
  const child = spawn(file, args, {
    env: { ...process.env, NODE_ENV: "production", ...subject.env },
    stdio: ["ignore", "ignore", "ignore"],
  });
  for (let tries = 0; tries < 500; tries += 1) {
    try {
      await fetch(`http://127.0.0.1:${subject.port}/`, { signal: AbortSignal.timeout(500) });
      return child;
    } catch (error) {
      if (error instanceof Error && error.name === "TimeoutError") return child;
      await sleep(20);
    }
  }
  throw new Error(`port ${subject.port} never answered`);
};

const stop = async (child: ChildProcess): Promise<void> => {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
};

const load = (plan: LoadPlan): Promise<LoadResult> =>
  new Promise((resolve, reject) => {
    const [file, args] = pinned(1, ["node", here("./load.ts")]);
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin?.end(JSON.stringify(plan));
    let out = "";
    child.stdout?.on("data", (data) => (out += String(data)));
    child.once("exit", (code) =>
      code === 0 ? resolve(JSON.parse(out) as LoadResult) : reject(new Error(`load ended with ${code}`)),
    );
  });

const planFor = (subject: Subject, model: string, stream: boolean, text: string): Omit<LoadPlan, "mode"> => ({
  port: subject.port,
  path: subject.path,
  headers: subject.headers,
  body: subject.body(model, stream, text),
});

/** CPU seconds of a process so far, and its resident KB. */
const usage = (pid: number): { cpu: number; rss: number } => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, rss: Number(rss) };
};

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const mediansOfRatios = (rows: readonly Record<string, number>[], name: string): number =>
  median(rows.map((row) => (row[name] ?? Number.NaN) / (row["raw"] ?? Number.NaN)));
const cell = (value: number, digits = 2): string => (Number.isFinite(value) ? value.toFixed(digits) : "-");
const table = (title: string, head: readonly string[], rows: readonly (readonly string[])[]): void => {
  process.stdout.write(`\n### ${title}\n\n| ${head.join(" | ")} |\n|${head.map(() => "---").join("|")}|\n`);
  for (const row of rows) process.stdout.write(`| ${row.join(" | ")} |\n`);
};

const upstream = await start(
  { command: ["node", here("./upstream.ts")], env: { PORT: String(upstreamPort) }, port: upstreamPort },
  1,
);
const running = new Map<number, ChildProcess>();
const up = async (subject: Subject): Promise<number> => {
  let child = running.get(subject.port);
  if (child === undefined) running.set(subject.port, (child = await start(subject, 0)));
  return child.pid ?? 0;
};

/** The same plan for every subject, interleaved; a row a round. */
const interleaved = async (
  count: number,
  measure: (subject: Subject) => Promise<number>,
): Promise<Record<string, number>[]> => {
  const rows: Record<string, number>[] = [];
  for (let round = 0; round <= count; round += 1) {
    const row: Record<string, number> = {};
    for (const subject of peers) {
      await up(subject);
      row[subject.name] = await measure(subject);
    }
    // The first round warms up.
    if (round > 0) rows.push(row);
  }
  return rows;
};

const report = (title: string, rows: readonly Record<string, number>[], unit: string): void =>
  table(
    title,
    ["", unit, "against raw"],
    peers.map(({ name }) => [
      name,
      cell(median(rows.map((row) => row[name] ?? Number.NaN)), 1),
      cell(mediansOfRatios(rows, name)),
    ]),
  );

const noErrors = (subject: Subject, result: LoadResult): LoadResult => {
  if (result.errors > 0) process.stderr.write(`${subject.name}: ${result.errors} errors\n`);
  return result;
};

process.stdout.write(
  `Node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model ?? "?"}), ${new Date().toISOString().slice(0, 10)}; ` +
    `${canPin ? "gateway on core 0, load and upstream on core 1" : "not pinned"}; medians of ${rounds} interleaved rounds\n`,
);

const text1k = "lorem ipsum ".repeat(80);
if (wanted("plain"))
  for (const connections of [1, 50, 200])
    report(
      `Plain, 1 KB, ${connections} at once`,
      await interleaved(
        rounds,
        async (subject) =>
          noErrors(
            subject,
            await load({ mode: "loop", connections, seconds, ...planFor(subject, "openai/bench-0-0", false, text1k) }),
          ).perSecond,
      ),
      "requests/s",
    );
if (wanted("large"))
  report(
    "Plain, 200 KB request, 50 at once",
    await interleaved(
      rounds,
      async (subject) =>
        noErrors(
          subject,
          await load({
            mode: "loop",
            connections: 50,
            seconds,
            ...planFor(subject, "openai/bench-0-0", false, "lorem ipsum dolor ".repeat(11_400)),
          }),
        ).perSecond,
    ),
    "requests/s",
  );
if (wanted("stream"))
  for (const connections of [1, 50, 200])
    report(
      `Streamed, 50 chunks at once, ${connections} at once`,
      await interleaved(
        quick ? 1 : 3,
        async (subject) =>
          noErrors(
            subject,
            await load({ mode: "loop", connections, seconds, ...planFor(subject, "openai/bench-50-0", true, text1k) }),
          ).perSecond,
      ),
      "streams/s",
    );
if (wanted("paced"))
  report(
    "CPU of the gateway, 100 streams of chunks 10 ms apart",
    await interleaved(quick ? 1 : 3, async (subject) => {
      const pid = await up(subject);
      const before = usage(pid).cpu;
      const result = noErrors(
        subject,
        await load({
          mode: "streams",
          streams: 100,
          rampMs: 500,
          ...planFor(subject, `openai/bench-${quick ? 200 : 400}-10`, true, text1k),
        }),
      );
      return ((usage(pid).cpu - before) * 1e6) / (100 * (quick ? 200 : 400) || result.chunks);
    }),
    "µs/chunk",
  );
if (wanted("slow")) {
  const rows: string[][] = [];
  const memory: Record<string, number> = {};
  const firsts: Record<string, number> = {};
  for (const subject of peers) {
    const old = running.get(subject.port);
    if (old !== undefined) await stop(old);
    running.delete(subject.port);
    const pid = await up(subject);
    const plan = planFor(subject, "openai/bench-12-500", true, text1k);
    noErrors(
      subject,
      await load({
        mode: "streams",
        streams: 200,
        rampMs: 500,
        ...planFor(subject, "openai/bench-2-20", true, text1k),
      }),
    );
    await sleep(500);
    const before = usage(pid).rss;
    let peak = before;
    const watch = setInterval(() => (peak = Math.max(peak, usage(pid).rss)), 100);
    const result = noErrors(subject, await load({ mode: "streams", streams: 1_000, rampMs: 2_000, ...plan }));
    clearInterval(watch);
    memory[subject.name] = (peak - before) / 1_000;
    firsts[subject.name] = result.firstP50;
    rows.push([
      subject.name,
      cell(memory[subject.name] ?? 0, 1),
      cell((memory[subject.name] ?? 0) / (memory["raw"] ?? 1)),
      cell(result.firstP50, 1),
      cell(result.firstP50 / (firsts["raw"] ?? 1)),
      cell(result.firstP99, 1),
      String(1_000 - result.requests),
    ]);
  }
  table(
    "1,000 slow streams (a chunk every 500 ms, opened over 2 s)",
    ["", "KB each", "against raw", "first token p50 ms", "against raw", "p99 ms", "lost"],
    rows,
  );
}
for (const child of running.values()) await stop(child);
running.clear();
if (wanted("start")) {
  const once = (subject: Subject): Promise<number> =>
    new Promise((resolve) => {
      const [file, args] = pinned(0, subject.command);
      const began = performance.now();
      const child = spawn(file, args, {
        env: { ...process.env, NODE_ENV: "production", ...subject.env },
        stdio: "ignore",
      });
      const body = JSON.stringify(subject.body("openai/bench-0-0", false, "hi"));
      const ask = (): void => {
        void answered().catch(() => setTimeout(ask, 2));
      };
      const answered = async (): Promise<void> => {
        const response = await fetch(`http://127.0.0.1:${subject.port}${subject.path}`, {
          method: "POST",
          headers: { "content-type": "application/json", ...subject.headers },
          body,
        });
        await response.text();
        const took = performance.now() - began;
        await stop(child);
        resolve(took);
      };
      ask();
    });
  report("Process start to first answer", await interleavedStart(once), "ms");
}
await stop(upstream);

async function interleavedStart(once: (subject: Subject) => Promise<number>): Promise<Record<string, number>[]> {
  const rows: Record<string, number>[] = [];
  for (let round = 0; round <= (quick ? 3 : 7); round += 1) {
    const row: Record<string, number> = {};
    for (const subject of peers) row[subject.name] = await once(subject);
    if (round > 0) rows.push(row);
  }
  return rows;
}
