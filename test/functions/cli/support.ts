// Commands within this process, and as children.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Command, Io } from "../../../functions/local/cli/io.ts";

export type Ran = { code: number; out: string; err: string };

/** `readFile` gives no file: the configuration is the environment's. */
export const run = async (
  command: Command,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  readFile: Io["readFile"] = () => undefined,
): Promise<Ran> => {
  let out = "";
  let err = "";
  const code = await command(args, {
    env,
    readFile,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
};

const cli = fileURLToPath(new URL("../../../functions/local/heddle.ts", import.meta.url));

/** The command as it is called, in a folder of its own. */
export const heddle = (cwd: string, args: readonly string[], env: Record<string, string> = {}): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], {
      cwd,
      env: { PATH: process.env["PATH"] ?? "", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString("utf8")));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString("utf8")));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? -1, out, err }));
  });
