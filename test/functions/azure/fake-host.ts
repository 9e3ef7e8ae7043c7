// The Functions worker's side of the library, in this process: what it takes of the app, and how it runs one of its functions.
import { randomUUID } from "node:crypto";
import { request as httpRequest, type IncomingMessage } from "node:http";
import Module from "node:module";

type Binding = { type: string; direction: string; name?: string; [key: string]: unknown };
type Metadata = { name: string; bindings: Record<string, Binding> };
type Callback = (...args: unknown[]) => unknown;
type Invocation = {
  getArguments: () => Promise<{ context: unknown; inputs: unknown[] }>;
  invokeFunction: (context: unknown, inputs: unknown[], callback: Callback) => Promise<unknown>;
  getResponse: (context: unknown, result: unknown) => Promise<unknown>;
};
type Model = {
  getCapabilities: (capabilities: Record<string, string>) => Promise<Record<string, string>>;
  getInvocationModel: (core: unknown) => Invocation | Promise<Invocation>;
};

type Asked = {
  method?: string;
  path: string;
  headers?: Record<string, string | string[]>;
  body?: string | Uint8Array;
  /** Leaves after the first bytes of the answer. */
  drop?: boolean;
};

type Got = { status: number; headers: IncomingMessage["headers"]; text: string; bytes: Buffer };

export type FakeHost = {
  functions: Map<string, Metadata>;
  /** By HTTP, through the library's own proxy. */
  call: (asked: Asked) => Promise<Got>;
  /** A queue's message, or a timer. Rejects with what the function throws. */
  run: (name: string, input: unknown) => Promise<void>;
  terminate: () => Promise<void>;
  /** Settles when the invocations that were begun have ended. */
  idle: () => Promise<unknown>;
};

const proxied = (uri: string, id: string, asked: Asked): Promise<Got> =>
  new Promise((resolve, reject) => {
    const { method = asked.body === undefined ? "GET" : "POST", path, headers = {}, body, drop = false } = asked;
    const url = new URL(uri);
    const request = httpRequest(
      {
        host: "127.0.0.1",
        port: url.port,
        method,
        path,
        headers: {
          ...headers,
          "x-ms-invocation-id": id,
          "x-forwarded-host": "app.azurewebsites.net",
          "x-forwarded-proto": "https",
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        const end = (): void => {
          const bytes = Buffer.concat(chunks);
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: bytes.toString("utf8"), bytes });
        };
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk);
          if (!drop) return;
          request.destroy();
          end();
        });
        response.on("end", end);
        response.on("error", (error) => (drop ? end() : reject(error)));
      },
    );
    request.on("error", (error) => (drop ? undefined : reject(error)));
    request.end(body);
  });

/** `load` imports the app. It must not have been loaded before in this process. */
export const startFakeHost = async (load: () => Promise<unknown>): Promise<FakeHost> => {
  const functions = new Map<string, Metadata>();
  const callbacks = new Map<string, Callback>();
  const terminating: ((context: unknown) => unknown)[] = [];
  let model: Model | undefined;
  const core = {
    version: "3.10.0",
    hostVersion: "4.1040.0",
    log: () => undefined,
    setProgrammingModel: (given: Model) => {
      model = given;
    },
    getProgrammingModel: () => model,
    registerFunction: (metadata: Metadata, callback: Callback) => {
      functions.set(metadata.name, metadata);
      callbacks.set(metadata.name, callback);
      return { dispose: () => undefined };
    },
    registerHook: (name: string, callback: (context: unknown) => unknown) => {
      if (name === "appTerminate") terminating.push(callback);
      return { dispose: () => undefined };
    },
  };
  const prototype = Module.prototype as unknown as { require: (this: unknown, id: string) => unknown };
  const original = prototype.require;
  prototype.require = function required(this: unknown, id: string): unknown {
    return id === "@azure/functions-core" ? core : original.call(this, id);
  };
  await load();
  const capabilities = (await model?.getCapabilities({})) ?? {};
  const uri = capabilities["HttpUri"] ?? "";
  const running = new Set<Promise<unknown>>();

  const invoke = async (name: string, id: string, inputs: Record<string, unknown>, headers: object): Promise<void> => {
    const metadata = functions.get(name);
    const callback = callbacks.get(name);
    if (metadata === undefined || callback === undefined || model === undefined) throw new Error(`No function ${name}`);
    const invocation = await model.getInvocationModel({
      invocationId: id,
      metadata,
      log: () => undefined,
      state: undefined,
      request: {
        inputData: Object.entries(inputs).map(([input, data]) => ({ name: input, data })),
        triggerMetadata: { Headers: { json: JSON.stringify(headers) } },
        traceContext: {},
      },
    });
    const { context, inputs: given } = await invocation.getArguments();
    await invocation.getResponse(context, await invocation.invokeFunction(context, given, callback));
  };
  const triggerOf = (name: string): string =>
    Object.entries(functions.get(name)?.bindings ?? {}).find(([, { type }]) => /Trigger$/i.test(type))?.[0] ?? "";

  return {
    functions,
    call: async (asked) => {
      const id = randomUUID();
      const joined = Object.entries(asked.headers ?? {}).map(([name, value]) => [name, [value].flat().join(", ")]);
      const got = proxied(uri, id, asked);
      const work = invoke(
        "gateway",
        id,
        { [triggerOf("gateway")]: { http: {} } },
        Object.fromEntries(joined) as object,
      );
      running.add(work);
      work.then(
        () => running.delete(work),
        () => running.delete(work),
      );
      // A function that fails leaves its caller without an answer.
      return Promise.race([got, work.then(() => got)]);
    },
    run: (name, input) =>
      invoke(
        name,
        randomUUID(),
        { [triggerOf(name)]: { string: typeof input === "string" ? input : JSON.stringify(input) } },
        {},
      ),
    terminate: async () => {
      for (const hook of terminating) await hook({});
    },
    idle: () => Promise.allSettled(running),
  };
};
