// One instance of a function: AWS's runtime client in a process of its own, and the Runtime API that it asks for events.
// One invocation at a time; between two the process is frozen, as Lambda freezes it: what an answer left undone stays undone (F56).
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";

export type FunctionOptions = {
  /** The runtime client's entry file. */
  runtimeClient: string;
  /** A folder with `index.mjs`, which exports `handler`. */
  bundle: string;
  name: string;
  /** All that the function's process gets of an environment, but for what Lambda itself sets. */
  env: Readonly<Record<string, string>>;
  memoryMb: number;
  timeoutMs: number;
  /** Takes what the function writes, and the platform's own lines: START, END, REPORT. */
  log: (line: string) => void;
  /** Where the process shall run: puts something before its command. */
  wrap?: (command: readonly string[]) => readonly string[];
  /** false: the process runs on between invocations. */
  freeze?: boolean;
};

/** Who takes an answer. A promise holds the function up. */
export type Receiver = {
  /** The answer begins: its content type, and whether it streams. */
  start?: (contentType: string, streams: boolean) => void;
  chunk?: (bytes: Buffer) => Promise<void> | void;
  /** The answer is whole; the function may be at work still. Not called where it broke off. */
  end?: () => void;
};

type FunctionError = { type: string; message: string };

/** How an invocation ended. */
export type Outcome = {
  requestId: string;
  /** What the runtime reported, or what the platform did to it. */
  error?: FunctionError;
  /** From the process's start until it asked for its first event: the first invocation of an instance alone. */
  initMs?: number;
  durationMs: number;
  /** The most that the process has ever had; undefined where the system does not tell. */
  peakMb?: number;
};

type Running = {
  requestId: string;
  event: unknown;
  receiver: Receiver;
  begun: number;
  /** Whether the process has it. */
  handed: boolean;
  error?: FunctionError;
  settle: (outcome: Outcome) => void;
};

export type Instance = {
  /** One at a time. Never rejects. */
  invoke: (event: unknown, receiver?: Receiver) => Promise<Outcome>;
  alive: () => boolean;
  pid: () => number | undefined;
  stop: () => Promise<void>;
};

/** Megabytes from /proc: now, and the most there ever were. */
const memoryOf = (pid: number | undefined): { nowMb: number; peakMb: number } | undefined => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const read = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
    const peakMb = read("VmHWM");
    return Number.isNaN(peakMb) ? undefined : { nowMb: read("VmRSS"), peakMb };
  } catch {
    return undefined;
  }
};

/** The managed runtime's own share of memory for the heap. */
const heapFlags = (memoryMb: number): string[] => [
  `--max-old-space-size=${Math.floor(memoryMb * 0.9)}`,
  `--max-semi-space-size=${Math.max(1, Math.floor(memoryMb * 0.05))}`,
];

const readAll = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
};

/** The error in a body or trailer of the runtime. */
const errorOf = (json: string, type: string | undefined): FunctionError => {
  try {
    const { errorType, errorMessage } = JSON.parse(json) as { errorType?: string; errorMessage?: string };
    return { type: errorType ?? type ?? "Error", message: errorMessage ?? "" };
  } catch {
    return { type: type ?? "Error", message: json };
  }
};

const base = "/2018-06-01/runtime";

/** Starts the process; it is ready for `invoke` at once. */
export const startInstance = async (options: FunctionOptions): Promise<Instance> => {
  const { name, memoryMb, timeoutMs, log, freeze = true } = options;
  const arn = `arn:aws:lambda:eu-west-1:123456789012:function:${name}`;
  let child: ChildProcess | undefined;
  let begunAt = 0;
  let initMs: number | undefined;
  let running: Running | undefined;
  /** The runtime's request for the next event, as long as there is none. */
  let asking: ServerResponse | undefined;
  let initError: FunctionError | undefined;
  let dead = false;

  const signal = (which: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void => {
    if (child?.exitCode === null && child.signalCode === null) child.kill(which);
  };

  const settle = (error?: FunctionError): void => {
    if (running === undefined) return;
    const { requestId, begun, settle: done } = running;
    const failed = error ?? running.error;
    running = undefined;
    clearTimeout(alarm);
    clearInterval(guard);
    const peakMb = memoryOf(child?.pid)?.peakMb ?? lastPeakMb;
    const durationMs = performance.now() - begun;
    const init = initMs;
    initMs = undefined;
    log(`END RequestId: ${requestId}`);
    log(
      [
        `REPORT RequestId: ${requestId}`,
        `Duration: ${durationMs.toFixed(2)} ms`,
        `Memory Size: ${memoryMb} MB`,
        ...(peakMb === undefined ? [] : [`Max Memory Used: ${Math.ceil(peakMb)} MB`]),
        ...(init === undefined ? [] : [`Init Duration: ${init.toFixed(2)} ms`]),
        ...(failed === undefined ? [] : [`Status: error Error Type: ${failed.type}`]),
      ].join("\t"),
    );
    done({
      requestId,
      durationMs,
      ...(failed === undefined ? {} : { error: failed }),
      ...(init === undefined ? {} : { initMs: init }),
      ...(peakMb === undefined ? {} : { peakMb }),
    });
  };

  let alarm: NodeJS.Timeout | undefined;
  let guard: NodeJS.Timeout | undefined;
  let lastPeakMb: number | undefined;

  /** Time and memory are the platform's to end: it asks nobody. */
  const kill = (error: FunctionError): void => {
    if (running !== undefined) running.error = error;
    log(`${running?.requestId ?? "-"} ${error.message}`);
    dead = true;
    signal("SIGKILL");
  };

  const watch = (): void => {
    const late = { type: "Sandbox.Timedout", message: `Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds` };
    alarm = setTimeout(() => kill(late), timeoutMs);
    guard = setInterval(() => {
      const memory = memoryOf(child?.pid);
      if (memory === undefined) return;
      lastPeakMb = memory.peakMb;
      if (memory.nowMb > memoryMb)
        kill({ type: "Runtime.OutOfMemory", message: `The process had ${Math.ceil(memory.nowMb)} of ${memoryMb} MB` });
    }, 50);
  };

  const hand = (): void => {
    if (running === undefined || asking === undefined) return;
    signal("SIGCONT");
    const response = asking;
    asking = undefined;
    running.handed = true;
    running.begun = performance.now();
    watch();
    response.writeHead(200, {
      "content-type": "application/json",
      "lambda-runtime-aws-request-id": running.requestId,
      "lambda-runtime-deadline-ms": String(Date.now() + timeoutMs),
      "lambda-runtime-invoked-function-arn": arn,
      "lambda-runtime-trace-id": `Root=1-${Math.floor(Date.now() / 1000).toString(16)}-${randomUUID().replaceAll("-", "").slice(0, 24)};Sampled=0`,
    });
    response.end(JSON.stringify(running.event));
  };

  const onResponse = async (request: IncomingMessage, call: Running): Promise<void> => {
    const streams = request.headers["lambda-runtime-function-response-mode"] === "streaming";
    call.receiver.start?.(request.headers["content-type"] ?? "", streams);
    for await (const chunk of request) await call.receiver.chunk?.(chunk as Buffer);
    const type = request.trailers["lambda-runtime-function-error-type"];
    const body = request.trailers["lambda-runtime-function-error-body"];
    if (type === undefined) call.receiver.end?.();
    else call.error = errorOf(Buffer.from(body ?? "", "base64").toString("utf8"), type);
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? "";
    const accept = (status: number): void => {
      response.writeHead(status, { "content-type": "application/json" }).end('{"status":"OK"}');
    };
    if (request.method === "GET" && path === `${base}/invocation/next`) {
      if (begunAt > 0) initMs = performance.now() - begunAt;
      begunAt = 0;
      asking = response;
      // Asking for the next one is the end of the one before.
      if (running?.handed === true) settle();
      if (running === undefined && freeze) signal("SIGSTOP");
      hand();
      return;
    }
    if (path === `${base}/init/error`) {
      initError = errorOf(await readAll(request), request.headers["lambda-runtime-function-error-type"]?.toString());
      accept(202);
      return;
    }
    const [, id, verb] = /\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    const call = running;
    if (call === undefined || id !== call.requestId) {
      request.resume();
      response.writeHead(400).end('{"errorType":"InvalidRequestID"}');
      return;
    }
    if (verb === "error") call.error = errorOf(await readAll(request), undefined);
    else await onResponse(request, call);
    accept(202);
  };

  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (request, response) => {
    response.on("error", () => undefined);
    // What breaks off is the process's end, which is told by its exit.
    serve(request, response).catch(() => response.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const command = [process.execPath, ...heapFlags(memoryMb), options.runtimeClient];
  const [file = process.execPath, ...rest] = options.wrap?.(command) ?? command;
  begunAt = performance.now();
  const started = spawn(file, rest, {
    cwd: options.bundle,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...options.env,
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
      LAMBDA_TASK_ROOT: options.bundle,
      _HANDLER: "index.handler",
      AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
      AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
      AWS_LAMBDA_FUNCTION_NAME: name,
      AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: "local",
      TZ: ":UTC",
    },
  });
  child = started;
  for (const stream of [started.stdout, started.stderr]) createInterface({ input: stream }).on("line", log);
  const gone = new Promise<void>((resolve) => {
    const over = (why: string): void => {
      dead = true;
      asking = undefined;
      settle(running?.error ?? initError ?? { type: "Runtime.ExitError", message: `The process ended: ${why}` });
      server.closeAllConnections();
      server.close(() => resolve());
    };
    started.once("error", (error) => over(error.message));
    started.once("exit", (code, by) => over(by ?? `status ${code}`));
  });

  return {
    invoke: (event, receiver = {}) =>
      new Promise((resolve) => {
        const requestId = randomUUID();
        running = { requestId, event, receiver, begun: performance.now(), handed: false, settle: resolve };
        log(`START RequestId: ${requestId} Version: $LATEST`);
        if (dead) settle(initError ?? { type: "Runtime.ExitError", message: "The process has ended" });
        else hand();
      }),
    alive: () => !dead,
    pid: () => child?.pid,
    stop: async () => {
      dead = true;
      signal("SIGKILL");
      await gone;
    },
  };
};
