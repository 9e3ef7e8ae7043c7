// What it costs to know who calls and to hold them to their limits: CPU of the whole process per call, in turns within one run, over a
// provider that answers from memory.
//   npm run bench:limits
//   npm run bench:limits -- --calls 5000 --rounds 9
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import { generateKeyPair, exportJWK, SignJWT } from "jose";
import { loadConfig } from "../lib/config.ts";
import { createGateway, type Gateway } from "../lib/gateway.ts";
import { ByteQueue } from "../lib/http/byte-queue.ts";
import type { Transport } from "../lib/http/transport.ts";
import type { Call, Invocation } from "../lib/model/call.ts";
import { openFileBlobs } from "../lib/blobs/files.ts";
import { openSqlite } from "../lib/stores/sqlite.ts";
import type { Table } from "../lib/stores/table.ts";
import { createLog } from "../lib/telemetry/log.ts";

const { values } = parseArgs({
  options: { calls: { type: "string", default: "3000" }, rounds: { type: "string", default: "7" } },
});
const calls = Number(values.calls);
const rounds = Number(values.rounds);

const staticKey = "bench-key-0123456789abcdef";
const words = "lorem ipsum ".repeat(80);
const answer = Buffer.from(
  JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1,
    model: "bench",
    choices: [{ index: 0, message: { role: "assistant", content: words }, finish_reason: "stop" }],
    usage: { prompt_tokens: 200, completion_tokens: 200, total_tokens: 400 },
  }),
);
const body = Buffer.from(
  JSON.stringify({ model: "openai/bench", max_tokens: 400, messages: [{ role: "user", content: words }] }),
);

const issuer = "https://issuer.example.test";
const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
const jwks = Buffer.from(JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "k", alg: "ES256" }] }));
const token = await new SignJWT({ roles: ["app"] })
  .setProtectedHeader({ alg: "ES256", kid: "k" })
  .setIssuer(issuer)
  .setAudience("heddle")
  .setSubject("ada")
  .setIssuedAt()
  .setExpirationTime("1h")
  .sign(privateKey);

const fromMemory = (bytes: Uint8Array): AsyncIterable<Uint8Array> => {
  const queue = new ByteQueue({ pause: () => undefined, resume: () => undefined, abandon: () => undefined });
  queue.push(bytes);
  queue.end();
  return queue;
};

const transport: Transport = {
  close: () => Promise.resolve(),
  send: ({ url }) =>
    Promise.resolve({
      status: 200,
      headers: { "content-type": "application/json" },
      body: fromMemory(url.startsWith(issuer) ? jwks : answer),
    }),
};

type Counts = { reads: number; writes: number };

const counted = (table: Table, counts: Counts): Table => {
  const count =
    <Arguments extends unknown[], Result>(kind: keyof Counts, run: (...given: Arguments) => Result) =>
    (...given: Arguments): Result => {
      counts[kind] += 1;
      return run(...given);
    };
  return {
    ...table,
    get: count("reads", table.get.bind(table)),
    query: count("reads", table.query.bind(table)),
    put: count("writes", table.put.bind(table)),
    update: count("writes", table.update.bind(table)),
    transact: count("writes", table.transact.bind(table)),
  };
};

/** Agrees to everything and keeps nothing: what is left is the gateway's own part. */
const freeTable: Table = {
  get: () => Promise.resolve(undefined),
  query: () => Promise.resolve({ items: [] }),
  put: (item) => Promise.resolve({ ok: true, item: { ...item, version: 1 } }),
  update: (key, { set = {}, add }) =>
    Promise.resolve({ ok: true, item: { ...key, version: 1, data: { ...set, ...add } } }),
  delete: () => Promise.resolve({ ok: true }),
  transact: () => Promise.resolve({ ok: true }),
  close: () => Promise.resolve(),
};

type Subject = {
  name: string;
  gateway: Gateway;
  credential: string;
  counts: Counts;
  waited: Promise<unknown>[];
  times: number[];
};

const folder = mkdtempSync(join(tmpdir(), "heddle-bench-"));
const pepper = "fake-pepper-".repeat(4);
const tables: Table[] = [];

const open = async (
  name: string,
  yaml: string,
  credential: string | ((gateway: Gateway) => Promise<string>),
  free = false,
): Promise<Subject> => {
  const text = `
environment: production
providers: { openai: { kind: openai-compatible, baseUrl: "http://127.0.0.1:9/v1", apiKey: fake } }
prices: { openai/bench: { input: 1, output: 2 } }
${yaml}`;
  const config = await loadConfig({
    env: { HEDDLE_CONFIG: "heddle.yaml" },
    readFile: (path) => (path === "heddle.yaml" ? text : undefined),
  });
  const counts: Counts = { reads: 0, writes: 0 };
  const stored = free ? freeTable : await openSqlite({ file: join(folder, `${name.replaceAll(/\W/g, "")}.db`) });
  const table = counted(stored, counts);
  tables.push(table);
  const gateway = createGateway(
    {
      transport,
      log: createLog({ level: "info", write: () => undefined }),
      version: "0",
      secrets: { get: (secret) => Promise.resolve(secret === "pepper" ? pepper : undefined) },
      ...(config.storage === "none"
        ? {}
        : { storage: () => Promise.resolve({ table, blobs: openFileBlobs({ folder: join(folder, "blobs") }) }) }),
    },
    config,
  );
  const given = typeof credential === "string" ? credential : await credential(gateway);
  return { name, gateway, credential: given, counts, waited: [], times: [] };
};

const never = new AbortController().signal;

const one = async ({ gateway, credential, waited }: Subject): Promise<void> => {
  const call: Call = {
    method: "POST",
    path: "/v1/chat/completions",
    query: "",
    headers: { host: "gateway", "content-type": "application/json", authorization: `Bearer ${credential}` },
    body,
  };
  const invocation: Invocation = {
    requestId: "req_bench",
    signal: never,
    deadline: Number.POSITIVE_INFINITY,
    waitUntil: (work) => void waited.push(work),
  };
  const { status, body: told } = await gateway(call, invocation);
  if (status !== 200) throw new Error(`${status}: ${typeof told === "string" ? told : ""}`);
};

/** Microseconds of CPU a call, what is written behind the calls included. */
const round = async (subject: Subject, count: number): Promise<number> => {
  const before = process.cpuUsage();
  for (let at = 0; at < count; at += 1) {
    await one(subject);
    // What stands behind the calls has its turn.
    if (at % 8 === 0) await setImmediate();
  }
  await subject.gateway.flush();
  await Promise.all(subject.waited.splice(0));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
};

const keyed =
  (selfProving: boolean) =>
  async (gateway: Gateway): Promise<string> => {
    const store = await gateway.services.keys?.();
    if (store === undefined) throw new Error("no keys");
    const creator = {
      name: "bench",
      open: false,
      tenant: "default",
      owner: "bench",
      user: "bench",
      key: "bench",
      roles: ["admin"],
      everywhere: true,
    };
    const { key } = await store.create(creator, {
      name: "bench",
      roles: ["member"],
      ...(selfProving ? { selfProving } : {}),
    });
    return key;
  };

const keys = `auth: { mode: keys, keys: [{ name: bench, key: ${staticKey} }] }`;
const issuers = `auth: { issuers: [{ issuer: "${issuer}", audience: heddle, jwksUri: "${issuer}/keys", roles: { app: member } }] }`;
const rate = "{ by: key, requestsPerMinute: 100000000, tokensPerMinute: 10000000000 }";
const budget = "{ by: tenant, amount: 100000, per: month, alerts: [] }";

const subjects = [
  await open("no store, a key of the configuration", `${keys}\nstorage: none`, staticKey),
  await open("the same, with the ledger", keys, staticKey),
  await open("a key that was made, with the ledger", "auth: { mode: keys }", keyed(false)),
  await open("a key that proves itself, with the ledger", "auth: { mode: keys }", keyed(true)),
  await open("a token (ES256), with the ledger", issuers, token),
  await open("a rate, by key", `${keys}\nlimits: { rates: [${rate}] }`, staticKey),
  await open(
    "a rate by key and a budget by tenant",
    `${keys}\nlimits: { rates: [${rate}], budgets: [${budget}] }`,
    staticKey,
  ),
  await open("a rate, by key, a store that costs nothing", `${keys}\nlimits: { rates: [${rate}] }`, staticKey, true),
  await open(
    "a rate by key and a budget by tenant, a store that costs nothing",
    `${keys}\nlimits: { rates: [${rate}], budgets: [${budget}] }`,
    staticKey,
    true,
  ),
];

try {
  for (const subject of subjects) await round(subject, Math.max(500, calls));
  for (const subject of subjects) Object.assign(subject.counts, { reads: 0, writes: 0 });
  for (let at = 0; at < rounds; at += 1)
    for (const subject of subjects) subject.times.push(await round(subject, calls));
  const median = ({ times }: Subject): number =>
    [...times].sort((less, more) => less - more)[Math.floor(times.length / 2)] ?? 0;
  const [base] = subjects;
  const rows = subjects.map((subject) => [
    subject.name,
    median(subject).toFixed(1),
    base === undefined || subject === base ? "" : (median(subject) - median(base)).toFixed(1),
    (subject.counts.reads / (calls * rounds)).toFixed(3),
    (subject.counts.writes / (calls * rounds)).toFixed(3),
  ]);
  process.stdout.write(
    `${[
      `node ${process.version}, ${cpus().length} cores, ${calls} calls a round, the median of ${rounds} rounds`,
      "",
      "| caller | CPU a call, µs | added, µs | store reads a call | store writes a call |",
      "|---|---|---|---|---|",
      ...rows.map((row) => `| ${row.join(" | ")} |`),
    ].join("\n")}\n`,
  );
} finally {
  for (const table of tables) await table.close();
  rmSync(folder, { recursive: true, force: true });
}
