// The command as it is run: what it says, whom it lets in, how it ends.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { version } from "../../../functions/shared/version.ts";
import { startUpstream, type TestUpstream, until } from "../../support/gateway.ts";
import { rawWires } from "../../support/wires.ts";

const cli = fileURLToPath(new URL("../../../functions/local/heddle.ts", import.meta.url));
const secret = "sk-canary-0123456789abcdefghij";

type Ended = { code: number | null; signal: NodeJS.Signals | null };
type Running = { kill: (signal: NodeJS.Signals) => void; ended: Promise<Ended>; out: () => string; err: () => string };

let folder: string;
let upstream: TestUpstream;
let started: Running[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-"));
  upstream = await startUpstream();
  started = [];
});
afterEach(async () => {
  for (const each of started) each.kill("SIGKILL");
  await upstream.stop();
  await rm(folder, { recursive: true });
});

const run = (args: readonly string[], env: Record<string, string> = {}): Running => {
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", HEDDLE_PORT: "0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString("utf8")));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString("utf8")));
  const running: Running = {
    kill: (signal) => void child.kill(signal),
    ended: new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal }))),
    out: () => out,
    err: () => err,
  };
  started.push(running);
  return running;
};

/** The address that the banner tells. */
const urlOf = async (running: Running): Promise<string> => {
  await until(() => /listens on \S+[^]*-d '/.test(running.err()), "a banner").catch((error: unknown) => {
    throw new Error(`no banner, but: ${running.err()}`, { cause: error });
  });
  return /listens on (\S+)/.exec(running.err())?.[1] ?? "";
};

const config = async (text: string): Promise<string> => {
  const path = join(folder, "heddle.yaml");
  await writeFile(path, text);
  return path;
};

const stream = (url: string): Promise<Response> =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(rawWires["openai-chat"].body("compat/up", true)),
  });

/** A process with one stream that runs until `finish`. */
const withStream = async (): Promise<{ running: Running; url: string; response: Response; finish: () => void }> => {
  const finished = Promise.withResolvers<void>();
  const raw = rawWires["openai-chat"];
  upstream.answer(async (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(raw.begin);
    await finished.promise;
    response.end(raw.end);
  });
  await config(`providers: { compat: { kind: openai-compatible, baseUrl: "${upstream.url}/v1" } }`);
  const running = run(["serve"], { HEDDLE_CONFIG: join(folder, "heddle.yaml") });
  const url = await urlOf(running);
  const response = await stream(url);
  if (response.status !== 200) throw new Error(`no stream: ${await response.text()}`);
  return { running, url, response, finish: () => finished.resolve() };
};

describe("the end", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    test.skipIf(process.platform === "win32")(
      `${signal}: running streams end whole, new calls are refused, the code is 0`,
      async () => {
        const { running, url, response, finish } = await withStream();
        running.kill(signal);
        await until(() => running.err().includes("stopping"), "it says that it stops");
        await expect(stream(url)).rejects.toThrow(Error);
        finish();
        const raw = rawWires["openai-chat"];
        expect(await response.text()).toBe(raw.begin + raw.end);
        expect(await running.ended).toEqual({ code: 0, signal: null });
        expect(JSON.parse(running.out().trim().split("\n").at(-1) ?? "")).toMatchObject({
          operation: "generate",
          status: 200,
        });
      },
    );

  test.skipIf(process.platform === "win32")("a second signal does not wait", async () => {
    const { running, response } = await withStream();
    running.kill("SIGTERM");
    await until(() => running.err().includes("stopping"), "it says that it stops");
    running.kill("SIGTERM");
    expect(await running.ended).toEqual({ code: 1, signal: null });
    await expect(response.text()).rejects.toThrow(Error);
  });

  test.skipIf(process.platform === "win32")(
    "streams that outlast the time to drain are cut, their upstream calls too, and the code is 0",
    async () => {
      const { running, response } = await withStream();
      running.kill("SIGKILL");
      await running.ended;
      await response.body?.cancel().catch(() => undefined);
      await config(`
providers: { compat: { kind: openai-compatible, baseUrl: "${upstream.url}/v1" } }
server: { drainMs: 50 }`);
      const short = run([], { HEDDLE_CONFIG: join(folder, "heddle.yaml") });
      const cut = await stream(await urlOf(short));
      short.kill("SIGTERM");
      await expect(cut.text()).rejects.toThrow(Error);
      expect(await short.ended).toEqual({ code: 0, signal: null });
      await until(() => upstream.requests.every((request) => request.aborted), "the upstream calls end");
      expect(short.out()).toContain('"disconnected":true');
    },
  );

  test.skipIf(process.platform === "win32")("a connection that is kept alive does not hold it up", async () => {
    const running = run([]);
    const response = await fetch(`${await urlOf(running)}/health`);
    await response.text();
    running.kill("SIGTERM");
    expect(await running.ended).toEqual({ code: 0, signal: null });
  });
});

describe("the start", () => {
  test("with nothing at all: echo, open to this machine", async () => {
    const running = run([]);
    const url = await urlOf(running);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(running.err()).toContain(`Heddle ${version}`);
    expect(running.err()).toMatch(/providers +echo\n/);
    expect(running.err()).toMatch(/access +open, on loopback only/);
    const tried = /curl -N (\S+) -H '([^']+)' \\\n +-d '([^']+)'/.exec(running.err());
    expect(tried).not.toBeNull();
    const [, address = "", header = "", body = ""] = tried ?? [];
    const [name = "", value = ""] = header.split(": ");
    const response = await fetch(address, { method: "POST", headers: { [name]: value }, body });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("data: [DONE]");
  });

  test("says which providers are on, and no secret of theirs (F41)", async () => {
    const path = await config(`
providers:
  openai: { apiKey: ${secret}-openai }
  house: { kind: openai-compatible, baseUrl: "http://user:${secret}@127.0.0.1:9/v1", headers: { x-key: ${secret}-header } }
models: { fast: openai/gpt-5.4-mini }
auth: { keys: [{ name: one, key: ${secret}-one }, { name: two, key: ${secret}-two }] }
`);
    const running = run([], { HEDDLE_CONFIG: path, ANTHROPIC_API_KEY: `${secret}-anthropic` });
    const url = await urlOf(running);
    expect(running.err()).toMatch(/providers .*openai.*house \(openai-compatible\)/);
    expect(running.err()).toMatch(/models +fast/);
    expect(running.err()).toMatch(/access +keys \(2\)/);
    expect(running.err()).toContain("authorization: Bearer YOUR_KEY");
    expect((await stream(url)).status).toBe(401);
    running.kill("SIGTERM");
    await running.ended;
    expect(running.err() + running.out()).not.toContain("canary");
  });

  test.each(["0.0.0.0", "::", "192.0.2.1", "example.test"])("open access is refused on %s", async (host) => {
    const running = run([], { HEDDLE_HOST: host });
    expect(await running.ended).toEqual({ code: 1, signal: null });
    expect(running.err()).toMatch(/open access/i);
    expect(running.err()).not.toContain("Try it");
  });

  test("with keys it listens beyond this machine", async () => {
    const path = await config(`auth: { keys: [{ name: one, key: ${secret} }] }`);
    const running = run([], { HEDDLE_HOST: "0.0.0.0", HEDDLE_CONFIG: path });
    const { port } = new URL(await urlOf(running));
    expect((await fetch(`http://127.0.0.1:${port}/health/live`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${port}/v1/models`)).status).toBe(401);
    const listed = await fetch(`http://127.0.0.1:${port}/v1/models`, {
      headers: { authorization: `Bearer ${secret}` },
    });
    expect(listed.status).toBe(200);
  });

  test("a port that is taken: said in words, the code is 1", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const running = run([], { HEDDLE_PORT: String(typeof address === "object" ? address?.port : 0) });
    expect(await running.ended).toEqual({ code: 1, signal: null });
    expect(running.err()).toContain("The port is taken");
    other.close();
  });

  test("a broken configuration: what is wrong, and the code is 1", async () => {
    const running = run([], { HEDDLE_CONFIG: await config("providers: { openai: { apikey: x } }") });
    expect(await running.ended).toEqual({ code: 1, signal: null });
    expect(running.err()).toContain("apiKey");
    expect(running.err()).not.toMatch(/\n\s+at /);
  });
});

test.each([
  [["--version"], 0, "out", version],
  [["--help"], 0, "out", "heddle check"],
  [["nonsense"], 2, "err", "heddle check"],
  [["check"], 0, "out", "ok"],
] as const)("heddle %s", async (args, code, where, text) => {
  const running = run(args);
  expect(await running.ended).toEqual({ code, signal: null });
  expect(running[where]()).toContain(text);
});
