// The function app that is deployed on Azure, under the local Functions host with the real library in it.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleAzure } from "../../scripts/bundle.ts";
import { startFunctions, type TestFunctions } from "../support/azure.ts";
import { startCosmos } from "../support/cosmos.ts";
import { type Facts, peakOf, type Platform, type PlatformUnderTest } from "./platform.ts";
import type { Provider } from "./provider.ts";
import { conforms } from "./suite.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

const largestBody = 4 * 1024 * 1024;

const facts: Facts = {
  tellsLeaving: true,
  backPressure: true,
  cutsBroken: { not: "a body that throws leaves the answer hanging until the host gives it up (F59)" },
  stores: true,
  endsSlowBodies: true,
  rawBodies: true,
  rawHeaders: { not: "the host takes header values as UTF-8, and no others" },
  rawPaths: { not: "the host decodes a path, and its proxy encodes it anew" },
  frontLimit: { bytes: largestBody, status: 413, why: "the host has a limit of its own, before any function" },
  deadline: { why: "Azure's load balancer gives a request up after 230 s", runsGoOn: true },
};

/** Of the worker or a function. What a client does that names its call as the host does is an invocation that nobody came for, and no fault. */
const fault =
  /internal error|Unhandled|Uncaught|worker ended|^Result: Failure\s+Exception: (?!The host has sent no request with)/;

/** The folder that is deployed. */
const appOf = async (folder: string): Promise<void> => {
  await bundleAzure(join(folder, "dist"));
  copyFileSync(join(root, "host.json"), join(folder, "host.json"));
  const { type, main = "dist/azure/index.mjs" } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    type: string;
    main?: string;
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "heddle", type, main }));
};

const azure: Platform = {
  name: "azure",
  facts,
  start: async (provider, config) => {
    const folder = mkdtempSync(join(tmpdir(), "heddle-conforms-"));
    const file = join(folder, "conform.yaml");
    writeFileSync(file, config);
    const [cosmos] = await Promise.all([startCosmos(), appOf(folder)]);
    const container = await cosmos.createContainer();
    const started: TestFunctions[] = [];
    const start = async (provided: Provider, more: Record<string, string> = {}): Promise<PlatformUnderTest> => {
      const functions = await startFunctions(folder, {
        triggers: false,
        largestBody,
        env: {
          AzureWebJobsDisableHomepage: "true",
          HEDDLE_CONFIG: file,
          HEDDLE_COSMOS_ENDPOINT: cosmos.options.endpoint,
          HEDDLE_COSMOS_KEY: cosmos.options.key,
          HEDDLE_COSMOS_DATABASE: cosmos.options.database,
          HEDDLE_COSMOS_CONTAINER: container,
          ...more,
        },
      });
      started.push(functions);
      const pid = await functions.pid();
      return {
        name: "azure",
        url: functions.url,
        provider: provided,
        facts,
        logs: () => functions.logs,
        faults: () => functions.logs.filter((line) => fault.test(line)),
        peakMb: () => peakOf(pid),
        stop: () => Promise.resolve(),
      };
    };
    let short: Promise<PlatformUnderTest> | undefined;
    return {
      ...(await start(provider)),
      short: () => (short ??= start(provider, { HEDDLE_HTTP_SECONDS: "2" })),
      stop: async () => {
        await Promise.all(started.map((each) => each.stop()));
        await cosmos.stop();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};

conforms(azure);
