// The process that an app's functions run in: does what the Functions worker for Node does, with the library's own programming model.
// Told by its parent what to load and what to invoke; the bodies of HTTP come to the library's own server, not through here.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { type App, type CoreInvocationContext, installCoreModule, registeredIn, systemError } from "./core-module.ts";
import type { RpcError, RpcLogLevel, ToHost, ToWorker } from "./messages.ts";

const send = (message: ToHost): void => void process.send?.(message);

const log = (level: RpcLogLevel, category: "user" | "system", message: string, id?: string): void =>
  send({ type: "log", level, category, message, ...(id === undefined ? {} : { id }) });

const errorOf = (thrown: unknown): RpcError => {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return { message: error.message, ...(error.stack === undefined ? {} : { stack: error.stack }) };
};

let hostVersion = "";
const app = installCoreModule({ hostVersion: () => hostVersion, log: (...entry) => log(...entry) });
/** Given to all hooks; `appOnly` to those of the app alone. */
const appHookData = {};
const appOnly = {};

const runHooks = async (name: keyof App["hooks"], context: object): Promise<void> => {
  // One after the other, in the order they were registered.
  for (const hook of app.hooks[name]) await hook(context);
};

/** Every file that package.json's `main` matches, in turn. A failure keeps the app from running. */
const load = async (folder: string): Promise<void> => {
  const { main, type } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, unknown>;
  if (typeof main !== "string") throw systemError("package.json has no `main`: no function can be found.");
  const files = globSync(main, { cwd: folder });
  if (files.length === 0) throw systemError(`Worker was unable to load entry point "${main}": File does not exist`);
  for (const file of files) {
    if (!file.endsWith(".mjs") && type !== "module")
      throw systemError(`"${file}" is CommonJS: this host loads ES modules alone.`);
    await import(pathToFileURL(join(folder, file)).href);
  }
};

const init = async (folder: string): Promise<void> => {
  try {
    await load(folder);
    await runHooks("appStart", { hookData: appOnly, appHookData, functionAppDirectory: folder });
    app.locked = true;
    // The library opens its server here and adds where it is: `HttpUri`.
    const own = { RawHttpBodyBytes: "true", RpcHttpTriggerMetadataRemoved: "true", RpcHttpBodyOnly: "true" };
    const capabilities = (await app.model?.getCapabilities?.(own)) ?? own;
    send({ type: "ready", capabilities, functions: registeredIn(app) });
  } catch (error) {
    send({ type: "unable", error: errorOf(error) });
  }
};

const invoke = async ({
  id,
  functionId,
  inputs,
  metadata,
  traceParent,
}: ToWorker & { type: "invoke" }): Promise<void> => {
  const registered = app.functions.get(functionId);
  if (registered === undefined || app.model === undefined)
    throw systemError(`Function code for '${functionId}' is not loaded and cannot be invoked.`);
  const core: CoreInvocationContext = {
    invocationId: id,
    request: {
      invocationId: id,
      functionId,
      inputData: inputs,
      triggerMetadata: metadata,
      traceContext: { traceParent, traceState: "", attributes: {} },
    },
    metadata: registered.metadata,
    log: (level, category, message) => log(level, category, message, id),
  };
  const model = await app.model.getInvocationModel(core);
  const { context, inputs: args } = await model.getArguments();
  const hookData = {};

  const before = {
    hookData,
    appHookData,
    invocationContext: context,
    functionCallback: registered.callback,
    inputs: args,
  };
  core.state = "preInvocationHooks";
  await runHooks("preInvocation", before);

  const after = {
    hookData,
    appHookData,
    invocationContext: context,
    inputs: before.inputs,
    result: null as unknown,
    error: null as unknown,
  };
  core.state = "invocation";
  try {
    after.result = await model.invokeFunction(context, before.inputs, before.functionCallback);
  } catch (error) {
    after.error = error;
  }
  core.state = "postInvocationHooks";
  await runHooks("postInvocation", after);
  core.state = undefined;
  if (after.error instanceof Error) throw after.error;
  // An answer's body is sent in here: hooks have long run.
  await model.getResponse(context, after.result);
};

const terminate = async (): Promise<void> => {
  await runHooks("appTerminate", { hookData: appOnly, appHookData });
  process.exit(0);
};

process.on("message", (message: ToWorker) => {
  if (message.type === "init") {
    ({ hostVersion } = message);
    void init(message.appFolder);
  } else if (message.type === "terminate") void terminate();
  else
    invoke(message).then(
      () => send({ type: "done", id: message.id }),
      (error: unknown) => send({ type: "done", id: message.id, error: errorOf(error) }),
    );
});
process.on("uncaughtException", (error: unknown) => {
  process.stderr.write(`Worker uncaught exception: ${errorOf(error).stack ?? ""}\n`);
  process.exit(1);
});
// A worker without its host has nothing to do.
process.on("disconnect", () => process.exit(0));
