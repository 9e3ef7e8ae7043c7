// The function app: registers the gateway, the worker and the sweeper. Wiring only; the one file that the Functions host loads.
import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import process from "node:process";
import { app } from "@azure/functions";
import { watchConnections } from "./connections.ts";
import { createHandler } from "./handler.ts";
import { functionsCore, guardInvocations } from "./invocations.ts";
import { createRuntime } from "./runtime.ts";
import { createSweeper, createWorker } from "./work.ts";

const { env } = process;
const folder = import.meta.dirname;
const connections = watchConnections();

const runtime = createRuntime({
  env,
  readFile: (path) => {
    const file = isAbsolute(path) ? path : join(folder, path);
    return existsSync(file) ? readFileSync(file, "utf8") : undefined;
  },
  // Not by the invocation's context: the host drops what is said through one that has ended.
  write: (line) => void process.stdout.write(`${line}\n`),
  connections,
});

app.setup({ enableHttpStream: true });

app.http("gateway", {
  route: "{*path}",
  methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
  // The gateway asks for its own keys: the SDKs send them where each vendor wants them.
  authLevel: "anonymous",
  handler: createHandler(runtime),
});

if (env["HEDDLE_QUEUE"])
  app.storageQueue("worker", {
    queueName: "%HEDDLE_QUEUE%",
    connection: "AzureWebJobsStorage",
    handler: createWorker(runtime),
  });

if (env["HEDDLE_COSMOS_ENDPOINT"])
  app.timer("sweeper", {
    schedule: "0 * * * * *",
    handler: createSweeper(runtime),
  });

// By now the library has told the worker how its functions are invoked.
guardInvocations(functionsCore(), runtime);

app.hook.appTerminate(() => runtime.terminate());

// The first call finds it made, or being made. A failure is told to the call that meets it.
runtime.gateway().catch(() => undefined);
