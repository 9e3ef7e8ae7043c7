// Cold starts, side by side in one run: process start to first streamed byte, warm calls, memory. On Lambda under AWS's own runtime client,
// on Azure under the Functions library.
//   npm run bench:cold                   20 rounds (some four minutes)
//   npm run bench:cold -- --rounds 3     a look
//   npm run bench:cold -- --only azure   one platform: lambda, azure
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { azureSubjects } from "./cold/azure.ts";
import { lambdaSubjects } from "./cold/lambda.ts";
import { limitCpu } from "./cold/limit.ts";
import type { Sample, Subject } from "./cold/subject.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const { values } = parseArgs({
  options: { rounds: { type: "string", default: "20" }, only: { type: "string", default: "" } },
});
const rounds = Number(values.rounds);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const dist = here("../dist/bench");
const platforms: { name: string; subjects: () => Promise<Subject[]> }[] = [
  { name: "lambda", subjects: () => lambdaSubjects(dist, say) },
  { name: "azure", subjects: () => azureSubjects(dist) },
].filter(({ name }) => values.only === "" || values.only === name);

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

const table = async (subjects: readonly Subject[]): Promise<void> => {
  say("| | first byte, cold (ms) | of it init (ms) | times empty | warm call (ms) | peak memory (MB) |");
  say("|---|---|---|---|---|---|");
  for (const speed of speeds) {
    const samples = subjects.map((): Sample[] => []);
    // In turn, so that what else this machine does falls on all alike.
    for (let round = 0; round < rounds; round += 1)
      for (const [index, { sample }] of subjects.entries()) samples[index]?.push(await sample(speed.wrap));
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
};

say(`${rounds} rounds, medians; Node ${process.versions.node}`);
try {
  for (const { name, subjects } of platforms) {
    const built = await subjects();
    say(`\n${name}\n`);
    await table(built);
  }
} finally {
  upstream.kill();
  quarter?.remove();
}
