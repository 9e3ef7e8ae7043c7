// The long-lived server, as it is started by its command.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Facts, peakOf, type Platform } from "./platform.ts";
import { conforms } from "./suite.ts";

const command = fileURLToPath(new URL("../../functions/local/heddle.ts", import.meta.url));

const facts: Facts = {
  tellsLeaving: true,
  backPressure: true,
  cutsBroken: true,
  stores: true,
  endsSlowBodies: true,
  rawBodies: true,
  rawHeaders: true,
  rawPaths: true,
};

const local: Platform = {
  name: "local",
  facts,
  start: async (provider, config) => {
    const folder = await mkdtemp(join(tmpdir(), "heddle-conforms-"));
    await writeFile(join(folder, "heddle.yaml"), config);
    const child = spawn(process.execPath, [command, "serve"], {
      cwd: folder,
      env: {
        PATH: process.env["PATH"] ?? "",
        HEDDLE_PORT: "0",
        HEDDLE_CONFIG: join(folder, "heddle.yaml"),
        HEDDLE_DATA: join(folder, "data"),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const logs: string[] = [];
    const listens = Promise.withResolvers<string>();
    createInterface({ input: child.stdout }).on("line", (line) => logs.push(line));
    createInterface({ input: child.stderr }).on("line", (line) => {
      logs.push(line);
      const url = /listens on (\S+)/.exec(line)?.[1];
      if (url !== undefined) listens.resolve(url);
    });
    const ended = once(child, "exit").then(() => listens.reject(new Error(logs.join("\n"))));
    const url = await listens.promise;
    return {
      name: "local",
      url,
      provider,
      facts,
      logs: () => logs,
      faults: () => [
        ...logs.filter((line) => /internal error|Unhandled|Uncaught|^\s+at /.test(line)),
        ...(child.exitCode === null ? [] : [`the process ended with ${child.exitCode}`]),
      ],
      peakMb: () => peakOf(child.pid),
      stop: async () => {
        child.kill("SIGKILL");
        await ended;
        await rm(folder, { recursive: true });
      },
    };
  },
};

conforms(local);
