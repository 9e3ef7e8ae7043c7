// Cold starts under AWS's own runtime client, side by side in one run: process start to first streamed byte, warm calls, memory.
//   npm run bench:cold                   20 rounds (some two minutes)
//   npm run bench:cold -- --rounds 3     a look
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Outcome, startInstance, type Instance } from "../functions/local/lambda/instance.ts";
import { createPreludeDecoder } from "../functions/local/lambda/prelude.ts";
import { findRuntimeClient } from "../functions/local/lambda/runtime-client.ts";
import { bundleLambda, lambdaNames } from "../scripts/bundle.ts";
import { limitCpu } from "./cold/limit.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const { values } = parseArgs({ options: { rounds: { type: "string", default: "20" } } });
const rounds = Number(values.rounds);
const warmCalls = 20;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const found = await findRuntimeClient(say);
if ("problem" in found) throw new Error(found.problem);
const runtimeClient = found.entry;

const body = JSON.stringify({
  model: "openai/bench-20-0",
  stream: true,
  messages: [{ role: "user", content: "x".repeat(200) }],
});

const event = {
  version: "2.0",
  routeKey: "$default",
  rawPath: "/v1/chat/completions",
  rawQueryString: "",
  headers: {
    "content-type": "application/json",
    authorization: "Bearer bench-key-0123456789abcdef",
    host: "local",
    "x-forwarded-for": "192.0.2.1",
  },
  requestContext: {
    accountId: "anonymous",
    apiId: "local",
    domainName: "local",
    domainPrefix: "local",
    http: {
      method: "POST",
      path: "/v1/chat/completions",
      protocol: "HTTP/1.1",
      sourceIp: "192.0.2.1",
      userAgent: "bench",
    },
    requestId: "bench",
    routeKey: "$default",
    stage: "$default",
    time: "01/Jan/2026:00:00:00 +0000",
    timeEpoch: 1_767_225_600_000,
  },
  body,
  isBase64Encoded: false,
};

/** As it is deployed: with its configuration built in. */
const dist = here("../dist/bench");
if (lambdaNames.includes("gateway")) await bundleLambda(dist, "gateway", { config: here("./heddle.yaml") });

const subjects = [
  { name: "empty streaming handler", bundle: here("./cold/empty") },
  { name: "pass-through with a key check", bundle: `${dist}/aws/gateway` },
].filter(({ name, bundle }) => {
  const there = existsSync(`${bundle}/index.mjs`);
  if (!there) say(`No ${bundle}: "${name}" is left out.`);
  return there;
});

type Call = Outcome & { firstByteAt: number; status: number };

/** One call, and when the body's first byte came. Throws where it failed: a failure is quick, and no result. */
const call = async (instance: Instance): Promise<Call> => {
  let firstByteAt = 0;
  let status = 0;
  let text = "";
  const decode = createPreludeDecoder((head) => {
    status = head.status;
  });
  const outcome = await instance.invoke(event, {
    chunk: (bytes) => {
      const piece = decode(bytes);
      if (piece.length > 0 && firstByteAt === 0) firstByteAt = performance.now();
      text += piece.toString("utf8");
    },
  });
  if (outcome.error !== undefined || status !== 200 || !text.includes("[DONE]"))
    throw new Error(`A call failed: ${outcome.error?.message ?? status} ${text.slice(0, 500)}`);
  return { ...outcome, firstByteAt, status };
};

type Sample = { cold: number; init: number; warm: number[]; peak: number };

const sample = async (
  { bundle }: (typeof subjects)[number],
  wrap?: (command: readonly string[]) => readonly string[],
): Promise<Sample> => {
  const lines: string[] = [];
  const begun = performance.now();
  const instance = await startInstance({
    runtimeClient,
    bundle,
    name: "bench",
    env: { PATH: process.env["PATH"] ?? "" },
    memoryMb: 512,
    timeoutMs: 30_000,
    log: (line) => lines.push(line),
    ...(wrap === undefined ? {} : { wrap }),
  });
  try {
    const first = await call(instance);
    const warm: number[] = [];
    let last: Call = first;
    for (let count = 0; count < warmCalls; count += 1) {
      last = await call(instance);
      warm.push(last.durationMs);
    }
    return { cold: first.firstByteAt - begun, init: first.initMs ?? 0, warm, peak: last.peakMb ?? 0 };
  } catch (error) {
    throw new Error(`${String(error)}\n${lines.slice(-20).join("\n")}`, { cause: error });
  } finally {
    await instance.stop();
  }
};

const median = (numbers: readonly number[]): number => {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};

const upstream = spawn(process.execPath, [here("./upstream.ts")], { stdio: "ignore" });
await sleep(500);

const quarter = limitCpu(0.25);
if (quarter === undefined) say("This system lets no share of a core be set: at full speed alone.");
const speeds = [
  { name: "full speed", wrap: undefined },
  ...(quarter === undefined ? [] : [{ name: "a quarter of a core", wrap: quarter.wrap }]),
];

say(`${rounds} rounds, medians; Node ${process.versions.node}\n`);
say("| | first byte, cold (ms) | of it init (ms) | times empty | warm call (ms) | peak memory (MB) |");
say("|---|---|---|---|---|---|");
try {
  for (const speed of speeds) {
    const samples = subjects.map((): Sample[] => []);
    // In turn, so that what else this machine does falls on all alike.
    for (let round = 0; round < rounds; round += 1)
      for (const [index, subject] of subjects.entries()) samples[index]?.push(await sample(subject, speed.wrap));
    const empty = median((samples[0] ?? []).map(({ cold }) => cold));
    for (const [index, { name }] of subjects.entries()) {
      const own = samples[index] ?? [];
      const cold = median(own.map((each) => each.cold));
      const cells = [
        `${name}, ${speed.name}`,
        cold.toFixed(0),
        median(own.map(({ init }) => init)).toFixed(0),
        (cold / empty).toFixed(2),
        median(own.flatMap(({ warm }) => warm)).toFixed(2),
        median(own.map(({ peak }) => peak)).toFixed(0),
      ];
      say(`| ${cells.join(" | ")} |`);
    }
  }
} finally {
  upstream.kill();
  quarter?.remove();
}
