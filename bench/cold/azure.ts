// The function app on Azure, in the local host's worker with the real library in it: without the host, which is there before the app.
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { triggerOf } from "../../functions/local/azure/host.ts";
import { startWorker, type WorkerProcess } from "../../functions/local/azure/worker-process.ts";
import { bundleAzure } from "../../scripts/bundle.ts";
import { body, headers, type Sample, type Subject, warmCalls } from "./subject.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The library's own name of the header that ties a request to its invocation. */
const invocationHeader = "x-ms-invocation-id";

/** One call as the host makes it: the request goes to the library's server, and at the same time the invocation to the worker. */
const call = (worker: WorkerProcess): Promise<{ firstByteAt: number; ms: number }> =>
  new Promise((resolve, reject) => {
    const begun = performance.now();
    const id = randomUUID();
    let firstByteAt = 0;
    let text = "";
    const sent = request(
      new URL("/v1/chat/completions", worker.httpUri),
      {
        method: "POST",
        headers: {
          ...headers,
          [invocationHeader]: id,
          "x-forwarded-host": "local",
          "x-forwarded-proto": "https",
          "content-length": Buffer.byteLength(body),
        },
      },
      (response) => {
        response.setEncoding("utf8");
        response.on("data", (piece: string) => {
          if (firstByteAt === 0) firstByteAt = performance.now();
          text += piece;
        });
        response.on("end", () => {
          if (response.statusCode === 200 && text.includes("[DONE]"))
            resolve({ firstByteAt, ms: performance.now() - begun });
          else reject(new Error(`A call failed: ${response.statusCode} ${text.slice(0, 500)}`));
        });
        response.on("error", reject);
      },
    );
    sent.on("error", reject);
    sent.end(body);
    const metadata = { Headers: { json: JSON.stringify(headers) } };
    const inputs = worker.functions.flatMap((each) => {
      const name = triggerOf(each)?.name;
      return name === undefined ? [] : [{ name, data: { http: {} } }];
    });
    void (async () => {
      const { error } = await worker.invoke("gateway", inputs, metadata, id).outcome;
      if (error !== undefined) reject(new Error(error.message));
    })();
  });

const peakMb = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

const sampleOf =
  (appFolder: string, entry: string): Subject["sample"] =>
  async (wrap): Promise<Sample> => {
    const lines: string[] = [];
    const begun = performance.now();
    const worker = await startWorker({
      appFolder,
      entry,
      env: {},
      execArgv: [],
      log: ({ text }) => lines.push(text),
      ...(wrap === undefined ? {} : { wrap }),
    });
    const init = performance.now() - begun;
    try {
      const { firstByteAt } = await call(worker);
      const warm: number[] = [];
      for (let count = 0; count < warmCalls; count += 1) warm.push((await call(worker)).ms);
      return { cold: firstByteAt - begun, init, warm, peak: peakMb(worker.pid) };
    } catch (error) {
      throw new Error(`${String(error)}\n${lines.slice(-20).join("\n")}`, { cause: error });
    } finally {
      worker.kill();
      await worker.ended;
    }
  };

/** The folder that is published, but for host.json, which the worker doesn't read. */
const appOf = async (folder: string, source?: string): Promise<string> => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await bundleAzure(folder, { config: here("../heddle.yaml"), ...(source === undefined ? {} : { source }) });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", main: "azure/index.mjs" }));
  return folder;
};

/** Built into `dist`, the worker too: that it is TypeScript here is no cost of Azure's. The first is what the others are compared with. */
export const azureSubjects = async (dist: string): Promise<Subject[]> => {
  const entry = join(dist, "azure-worker.mjs");
  await build({
    entryPoints: [here("../../functions/local/azure/worker.ts")],
    outfile: entry,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "warning",
  });
  const empty = await appOf(join(dist, "azure-empty"), "bench/cold/empty-azure.ts");
  const gateway = await appOf(join(dist, "azure-gateway"));
  return [
    { name: "empty streaming function", sample: sampleOf(empty, entry) },
    { name: "pass-through with a key check", sample: sampleOf(gateway, entry) },
  ];
};
