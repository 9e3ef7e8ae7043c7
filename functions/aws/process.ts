// This process's own environment, files and log.
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { createRuntime, type Runtime } from "./runtime.ts";

export const processRuntime = (): Runtime =>
  createRuntime({
    env: process.env,
    readFile: (path) => (existsSync(path) ? readFileSync(path, "utf8") : undefined),
    // Not by the console, which Lambda puts its own words before.
    write: (line) => void process.stdout.write(`${line}\n`),
  });
