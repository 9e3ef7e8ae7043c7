// The `heddle` command: `serve` (default), `check`, and what works on a running gateway.
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { loadConfig } from "../../lib/config.ts";
import { banner } from "./banner.ts";
import type { Command, Io } from "./cli/io.ts";
import { createLineWriter } from "./lines.ts";
import { startServer } from "./server.ts";
import { version } from "../shared/version.ts";

const usage = `heddle ${version}

  heddle [serve]        listen (HEDDLE_HOST, HEDDLE_PORT; default http://127.0.0.1:8787)
  heddle check [file]   say what a configuration means, or what is wrong with it
  heddle doctor         try out all that the configuration names, and say what to mend

  Of a running gateway (HEDDLE_URL, HEDDLE_KEY); each has --help:
  heddle keys           create, list, show, rotate, revoke
  heddle budgets        list, set, delete, reset
  heddle usage          tokens and dollars, by day, key, user, model
  heddle threads        list, export, delete
  heddle audit          who changed what
  heddle --version
`;

const readFile = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, "utf8") : undefined);

const serve = async (): Promise<void> => {
  const config = await loadConfig({ env: process.env, readFile });
  const log = createLineWriter(process.stdout);
  process.on("exit", log.flush);
  const running = await startServer(config, { version, write: log.write, variable: (name) => process.env[name] });
  process.stderr.write(`${banner(config, running.url, version)}\n`);
  let stopping = false;
  const stop = (): void => {
    // A second signal does not wait.
    if (stopping) process.exit(1);
    stopping = true;
    process.stderr.write("stopping: no new calls, running answers may end\n");
    void running.stop().then(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
};

/** Loaded when called: a server that starts needs none of them. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  check: async () => {
    const { runCheck } = await import("./check.ts");
    return runCheck;
  },
  doctor: async () => (await import("./cli/doctor.ts")).doctorCommand,
  keys: async () => (await import("./cli/keys.ts")).keysCommand,
  budgets: async () => (await import("./cli/budgets.ts")).budgetsCommand,
  usage: async () => (await import("./cli/usage.ts")).usageCommand,
  threads: async () => (await import("./cli/threads.ts")).threadsCommand,
  audit: async () => (await import("./cli/audit.ts")).auditCommand,
};

const io: Io = {
  env: process.env,
  readFile,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

const main = async (args: readonly string[]): Promise<number | undefined> => {
  const [command = "serve", ...rest] = args;
  if (command === "serve") {
    await serve();
    return undefined;
  }
  const load = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (load !== undefined) return (await load())(rest, io);
  if (command === "--version" || command === "version") {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const asked = command === "--help" || command === "help";
  (asked ? process.stdout : process.stderr).write(usage);
  return asked ? 0 : 2;
};

try {
  const code = await main(process.argv.slice(2));
  if (code !== undefined) process.exitCode = code;
} catch (error) {
  const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  const message = taken
    ? "The port is taken: set HEDDLE_PORT to another."
    : error instanceof Error
      ? error.message
      : String(error);
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}
