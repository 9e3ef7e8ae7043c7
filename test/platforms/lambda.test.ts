// The bundle that is deployed on Lambda, under AWS's own runtime client, behind a function URL.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "vitest";
import { buildFunctions, faults } from "../functions/lambda/bundles.ts";
import { haveJava, startDynamodb } from "../support/dynamodb.ts";
import { runtimeClient, type TestLambda } from "../support/lambda.ts";
import { startS3 } from "../support/s3.ts";
import type { Facts, Platform, PlatformUnderTest } from "./platform.ts";
import type { Provider } from "./provider.ts";
import { conforms } from "./suite.ts";

const entry = await runtimeClient();
const java = haveJava();

const facts: Facts = {
  tellsLeaving: { not: "Lambda gives no event when a client leaves: the invocation runs on (F54)" },
  backPressure: true,
  cutsBroken: { not: "what a URL's client sees of a function that fails after its first byte is nowhere said (F55)" },
  stores: java ? true : { not: "DynamoDB Local needs Java, which is not here" },
  endsSlowBodies: { not: "there is no event before a request is whole: its front has a time of its own" },
  rawBodies: { not: "an event is JSON, and holds a body of a text type as a text: other bytes become U+FFFD" },
  rawHeaders: true,
  rawPaths: true,
  frontLimit: { bytes: 6 * 1024 * 1024, status: 413, why: "Lambda takes requests of up to 6 MB" },
  atOnce: { calls: 6, why: "an instance has one call at a time: each further one is a process" },
  deadline: {
    why: "an invocation has its time, and ends with it",
    runsGoOn: { not: "the process sleeps when the invocation has ended" },
  },
};

const peakOf = ({ logs }: TestLambda): number =>
  Math.max(0, ...logs.map((line) => Number(/Max Memory Used: (\d+)/.exec(line)?.[1] ?? 0)));

const lambda: Platform = {
  name: "lambda",
  facts,
  start: async (provider, config) => {
    const folder = mkdtempSync(join(tmpdir(), "heddle-conforms-"));
    const file = join(folder, "heddle.yaml");
    writeFileSync(file, config);
    const [dynamodb, s3] = await Promise.all([java ? startDynamodb() : undefined, startS3()]);
    const functions = await buildFunctions(entry ?? "", ["gateway"], provider.url, {
      HEDDLE_CONFIG: file,
      HEDDLE_BUCKET: s3.bucket,
      AWS_ENDPOINT_URL_S3: s3.client.endpoint,
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
      ...(dynamodb === undefined
        ? {}
        : { HEDDLE_TABLE: await dynamodb.createTable(), AWS_ENDPOINT_URL_DYNAMODB: dynamodb.client.endpoint }),
    });
    const underOf = (started: TestLambda, provided: Provider): PlatformUnderTest => ({
      name: "lambda",
      url: started.url,
      provider: provided,
      facts,
      logs: () => started.logs,
      faults: () => faults(started),
      peakMb: () => peakOf(started),
      stop: () => Promise.resolve(),
    });
    let short: Promise<TestLambda> | undefined;
    return {
      ...underOf(await functions.start("gateway"), provider),
      short: async () => underOf(await (short ??= functions.start("gateway", { timeoutMs: 4_500 })), provider),
      stop: async () => {
        await functions.stop();
        await Promise.all([dynamodb?.stop(), s3.stop()]);
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};

describe.skipIf(entry === undefined)("lambda", () => {
  conforms(lambda);
});
