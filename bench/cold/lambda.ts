// Functions on Lambda, under AWS's own runtime client.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Outcome, startInstance, type Instance } from "../../functions/local/lambda/instance.ts";
import { createPreludeDecoder } from "../../functions/local/lambda/prelude.ts";
import { findRuntimeClient } from "../../functions/local/lambda/runtime-client.ts";
import { bundleLambda, lambdaNames } from "../../scripts/bundle.ts";
import { body, headers, type Sample, type Subject, warmCalls } from "./subject.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const event = {
  version: "2.0",
  routeKey: "$default",
  rawPath: "/v1/chat/completions",
  rawQueryString: "",
  headers: { ...headers, host: "local", "x-forwarded-for": "192.0.2.1" },
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

const sampleOf =
  (runtimeClient: string, bundle: string): Subject["sample"] =>
  async (wrap): Promise<Sample> => {
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

/** As they are deployed, built into `dist`: with the configuration built in. The first is what the others are compared with. */
export const lambdaSubjects = async (dist: string, say: (line: string) => void): Promise<Subject[]> => {
  const found = await findRuntimeClient(say);
  if ("problem" in found) throw new Error(found.problem);
  if (lambdaNames.includes("gateway")) await bundleLambda(dist, "gateway", { config: here("../heddle.yaml") });
  return [
    { name: "empty streaming handler", bundle: here("./empty") },
    { name: "pass-through with a key check", bundle: `${dist}/aws/gateway` },
  ].flatMap(({ name, bundle }) => {
    if (existsSync(`${bundle}/index.mjs`)) return [{ name, sample: sampleOf(found.entry, bundle) }];
    say(`No ${bundle}: "${name}" is left out.`);
    return [];
  });
};
