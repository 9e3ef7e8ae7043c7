// The `heddle` command: `serve` (default) and `check`.
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { loadConfig } from "../../lib/config.ts";
import { banner } from "./banner.ts";
import { runCheck } from "./check.ts";
import { createLineWriter } from "./lines.ts";
import { startServer } from "./server.ts";
import { version } from "./version.ts";

const usage = `heddle ${version}

  heddle [serve]        listen (HEDDLE_HOST, HEDDLE_PORT; default http://127.0.0.1:8787)
  heddle check [file]   say what a configuration means, or what is wrong with it
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

const main = async (args: readonly string[]): Promise<number | undefined> => {
  const [command = "serve", ...rest] = args;
  if (command === "serve") {
    await serve();
    return undefined;
  }
  if (command === "check")
    return runCheck(rest, {
      env: process.env,
      readFile,
      out: (text) => void process.stdout.write(text),
      err: (text) => void process.stderr.write(text),
    });
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
