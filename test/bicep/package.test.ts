// What azd and func ship: the manifest, host.json and the bundle, and nothing else.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { root } from "./walk.ts";

const ignore = readFileSync(`${root}.funcignore`, "utf8");
const folder = mkdtempSync(join(tmpdir(), "heddle-package-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const listed = spawnSync("git", ["ls-files"], { cwd: root, encoding: "utf8" });
const tracked =
  listed.status === 0
    ? listed.stdout.split("\n").filter(Boolean)
    : // Unpacked from an archive.
      readdirSync(root, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? [`${entry.name}/a`] : entry.isFile() ? [entry.name] : [],
      );
const shipped = [
  "package.json",
  "host.json",
  "dist/azure/index.mjs",
  "dist/azure/heddle.yaml",
  "dist/azure/chunks/a-B2.mjs",
];
const others = [
  ...tracked,
  ".azure/prod/.env",
  ".env",
  ".env.local",
  ".heddle/store.db",
  ".vscode/settings.json",
  "coverage/index.html",
  "dist/aws/gateway/index.mjs",
  "dist/local/heddle.mjs",
  "dist/maps/azure/index.mjs.map",
  "dist/azure/index.mjs.map",
  "dist/azure/chunks/a.mjs.map",
  "heddle.yaml",
  "local.settings.json",
  "node_modules/.package-lock.json",
  "node_modules/@azure/functions/package.json",
  "node_modules/yaml/package.json",
].filter((path) => !shipped.includes(path));

const hasGit = spawnSync("git", ["--version"]).status === 0;

/** azd: as git reads .gitignore. */
const keptByGit = (paths: string[]): string[] => {
  spawnSync("git", ["init", "--quiet", folder]);
  writeFileSync(join(folder, ".gitignore"), ignore);
  const { stdout } = spawnSync("git", ["check-ignore", "--no-index", "--stdin"], {
    cwd: folder,
    input: paths.join("\n"),
    encoding: "utf8",
  });
  const ignored = new Set(stdout.split("\n"));
  return paths.filter((path) => !ignored.has(path));
};

/** func: each line a pattern that begins at the top; `*` stays within a folder. It leaves some files out by itself. */
const keptByFunc = (paths: string[]): string[] => {
  const patterns = ignore
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.replace(/^\//, "").replaceAll(/[-[\]/{}()+?.\\^$|]/g, "\\$&"))
    .map((line) => line.replaceAll("**", "(.+)").replaceAll("*", "([^\\/]+)"));
  const ignored = new RegExp(`^(?:(?:${patterns.join(")|(?:")}))\\b`);
  const own = /^(?:\.git\/|\.vscode\/)|(?:^|\/)(?:\.funcignore|\.gitignore|local\.settings\.json)$/;
  return paths.filter((path) => !own.test(path) && !ignored.test(path));
};

test.skipIf(!hasGit)("azd ships the bundle, the manifest and host.json alone (needs git)", () => {
  // azd leaves this file itself out by itself.
  expect(keptByGit([...shipped, ...others]).filter((path) => path !== ".funcignore")).toEqual(shipped);
});

test("and so does func", () => {
  expect(keptByFunc([...shipped, ...others])).toEqual(shipped);
});

describe("azure.yaml", () => {
  const { infra, services, hooks } = parse(readFileSync(`${root}azure.yaml`, "utf8")) as {
    infra: Record<string, string>;
    services: Record<string, Record<string, unknown>>;
    hooks: Record<string, { run: string }>;
  };

  test("deploys what was built here: nothing is built in Azure", () => {
    expect(services["gateway"]).toMatchObject({ host: "function", project: ".", language: "js", remoteBuild: false });
    // azd: "'remoteBuild: false' cannot be used when '.funcignore' excludes node_modules".
    if (hasGit) expect(keptByGit(["node_modules"])).toEqual(["node_modules"]);
    expect(JSON.stringify(services["gateway"]?.["hooks"])).toContain("npm run build:azure");
  });

  test("names files that are there", () => {
    expect(existsSync(join(root, infra["path"] ?? "", `${infra["module"]}.bicep`))).toBe(true);
    for (const { run } of Object.values(hooks)) expect(existsSync(join(root, run)), run).toBe(true);
  });
});

describe("pepper.sh", () => {
  const bin = join(folder, "bin");
  mkdirSync(bin, { recursive: true });

  /** Runs it with an `az` that answers by its first three words, and writes down what it is given. */
  const run = (
    answers: Record<string, string>,
    env: Record<string, string> = {},
  ): { status: number; out: string; calls: string; kept: string } => {
    const [calls, kept] = [join(folder, "calls"), join(folder, "kept")];
    for (const path of [calls, kept]) writeFileSync(path, "");
    const lines = Object.entries(answers).map(([words, answer]) => `  "${words}") ${answer} ;;`);
    writeFileSync(
      join(bin, "az"),
      [
        "#!/bin/sh",
        `echo "$*" >>"${calls}"`,
        `while [ $# -gt 0 ]; do case "$1" in keyvault|secret) ;; --file) cat "$2" >"${kept}" ;; *) what="\${what:-$1}" ;; esac; shift; done`,
        'case "$what" in',
        ...lines,
        "esac",
      ].join("\n"),
    );
    chmodSync(join(bin, "az"), 0o755);
    const { status, stdout, stderr } = spawnSync(join(root, "infra/azure/pepper.sh"), {
      env: { PATH: `${bin}:${process.env["PATH"]}`, KEY_VAULT: "kv-test", PEPPER_PAUSE: "0", ...env },
      encoding: "utf8",
    });
    const [called, secret] = [calls, kept].map((path) => readFileSync(path, "utf8"));
    return { status: status ?? -1, out: stdout + stderr, calls: called ?? "", kept: secret ?? "" };
  };

  test("makes one where there is none, and shows it to nobody", () => {
    const { status, out, calls, kept } = run({ list: "echo openai-api-key" });
    expect(status).toBe(0);
    expect(kept).toMatch(/^[0-9a-f]{64}$/);
    expect(calls).toContain("secret set --vault-name kv-test --name pepper");
    expect(calls + out).not.toContain(kept);
  });

  test("leaves the one that is there", () => {
    const { status, calls } = run({ list: "echo admin-key; echo pepper" });
    expect(status).toBe(0);
    expect(calls).not.toContain("secret set");
  });

  test("takes a deleted one back", () => {
    const { status, calls } = run({ list: "echo admin-key", "list-deleted": "echo pepper" });
    expect(status).toBe(0);
    expect(calls).toContain("secret recover");
    expect(calls).not.toContain("secret set");
  });

  test("makes none where it can't see whether there is one", () => {
    const { status, out, calls } = run({ list: "echo Forbidden >&2; exit 1" }, { PEPPER_TRIES: "2" });
    expect(status).toBe(1);
    expect(out).toContain("Key Vault Secrets Officer");
    expect(calls).not.toContain("secret set");
    expect(calls.match(/secret list/g)).toHaveLength(2);
  });

  test("says where to run it when the vault is private", () => {
    const { status, out, calls } = run({ list: "echo" }, { PRIVATE_NETWORK: "true" });
    expect(status).toBe(0);
    expect(out).toContain("From within its network");
    expect(calls).toBe("");
  });
});
