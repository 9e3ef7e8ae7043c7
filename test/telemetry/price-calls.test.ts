// Cost as callers and operators see it: in the log, the header and the metrics, from what each wire's provider tells.
import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { ClientWireId } from "../../lib/model/wire-id.ts";
import { clientWireIds } from "../../lib/model/wire-id.ts";
import {
  jsonAnswer,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
  until,
} from "../support/gateway.ts";
import { providerOf, providersYaml, rawWires } from "../support/wires.ts";
import { parseMetrics, valueOf } from "./prometheus.ts";

let upstream: TestUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(
    `${providersYaml(upstream.url)}
prices:
  up: { input: 10, output: 100, cachedInput: 1, cacheWrite: 20 }
  compat/special: { input: 0, output: 0, perCall: 0.5 }
`,
  );
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});
beforeEach(() => {
  gateway.logs.length = 0;
});

/** 1,000 tokens of prompt, 600 of them cached, and 50 of output, as each wire tells it. */
const told: Record<ClientWireId, unknown> = {
  // Beside the prompt: what was cached is not in `input_tokens`.
  "anthropic-messages": {
    input_tokens: 400,
    cache_read_input_tokens: 600,
    cache_creation_input_tokens: 0,
    output_tokens: 50,
  },
  // Inside the prompt: what was cached is a part of it.
  "openai-chat": {
    prompt_tokens: 1_000,
    completion_tokens: 50,
    total_tokens: 1_050,
    prompt_tokens_details: { cached_tokens: 600 },
  },
  "openai-responses": {
    input_tokens: 1_000,
    output_tokens: 50,
    total_tokens: 1_050,
    input_tokens_details: { cached_tokens: 600 },
    output_tokens_details: { reasoning_tokens: 0 },
  },
  "gemini-generate": {
    promptTokenCount: 1_000,
    cachedContentTokenCount: 600,
    candidatesTokenCount: 50,
    totalTokenCount: 1_050,
  },
};
const withUsage = (wire: ClientWireId, usage: unknown): unknown => ({
  ...(rawWires[wire].whole as object),
  [wire === "gemini-generate" ? "usageMetadata" : "usage"]: usage,
});

const post = (client: ClientWireId, model: string): Promise<Response> =>
  fetch(gateway.url + rawWires[client].path(model, false), {
    method: "POST",
    body: JSON.stringify(rawWires[client].body(model, false)),
  });

const cost = 0.0096; // 400 at 10, 600 at 1, 50 at 100 dollars a million

for (const provider of clientWireIds)
  // The provider `openai` is called on the caller's own wire where it speaks it.
  for (const client of clientWireIds.filter((id) => provider !== "openai-responses" || id !== "openai-chat"))
    test(`cached tokens told by ${provider} are priced once, to a caller on ${client} (F36)`, async () => {
      upstream.answer(jsonAnswer(200, withUsage(provider, told[provider])));
      const response = await post(client, `${providerOf[provider]}/up`);
      await response.text();
      expect(gateway.logs).toEqual([
        expect.objectContaining({ inputTokens: 1_000, cachedInputTokens: 600, outputTokens: 50, cost, priced: true }),
      ]);
      expect(response.headers.get("heddle-cost")).toBe(String(cost));
    });

test("tokens written to the cache are priced once as well (F36)", async () => {
  const usage = {
    input_tokens: 100,
    cache_read_input_tokens: 600,
    cache_creation_input_tokens: 300,
    output_tokens: 50,
  };
  upstream.answer(jsonAnswer(200, withUsage("anthropic-messages", usage)));
  await (await post("anthropic-messages", "anthropic/up")).text();
  expect(gateway.logs[0]).toMatchObject({ inputTokens: 1_000, cacheWriteTokens: 300, cost: 0.0126 });
});

test("a model of no known price is flagged in the log and the metrics, and has no cost anywhere (F37)", async () => {
  upstream.answer(jsonAnswer(200, rawWires["openai-chat"].whole));
  const response = await post("openai-chat", "compat/nobody-knows-me");
  await response.text();
  expect(gateway.logs[0]).toMatchObject({ priced: false, inputTokens: 5 });
  expect(gateway.logs[0]).not.toHaveProperty("cost");
  expect(response.headers.get("heddle-cost")).toBeNull();
  const metrics = parseMetrics(await (await fetch(`${gateway.url}/metrics`)).text());
  const model = { model: "nobody-knows-me" };
  expect(valueOf(metrics, "heddle_unpriced_requests_total", model)).toBe(1);
  expect(valueOf(metrics, "heddle_cost_dollars_total", model)).toBe(0);
});

test("heddle.yaml's price comes before the table's, with a price for the call itself", async () => {
  upstream.answer(jsonAnswer(200, rawWires["openai-chat"].whole));
  await (await post("openai-chat", "compat/special")).text();
  expect(gateway.logs[0]).toMatchObject({ cost: 0.5, priced: true });
});

test("a known model is priced from the table, by its provider's kind", async () => {
  upstream.answer(jsonAnswer(200, withUsage("anthropic-messages", { input_tokens: 1_000_000, output_tokens: 0 })));
  await (await post("anthropic-messages", "anthropic/claude-haiku-4-5")).text();
  expect(gateway.logs[0]).toMatchObject({ cost: 1, priced: true });
});

test("nothing is fetched at the start, nor to price a call (F37)", async () => {
  // Any connection that the process begins ends it.
  const guard = `import net from "node:net";
const no = () => { process.stderr.write("REACHED OUT"); process.exit(7); };
net.Socket.prototype.connect = no; globalThis.fetch = no;`;
  const cli = fileURLToPath(new URL("../../functions/local/cli.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", `data:text/javascript,${encodeURIComponent(guard)}`, cli], {
    // Nobody else's configuration lies here.
    cwd: mkdtempSync(join(tmpdir(), "heddle-")),
    env: { HEDDLE_PORT: "0", OPENAI_API_KEY: "k", ANTHROPIC_API_KEY: "k", GEMINI_API_KEY: "k" },
  });
  let out = "";
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => void child.on("exit", resolve));
  await until(() => said.includes("-d '{") || child.exitCode !== null, "the banner");
  expect(said).toContain("listens on");
  const [, url = ""] = /listens on (\S+)/.exec(said) ?? [];
  const body = { model: "echo/echo", messages: [{ role: "user", content: "hi [[pace 0]]" }] };
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { connection: "close" },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  await response.text();
  await until(() => out.includes("\n"), "the log line");
  expect(JSON.parse(out)).toMatchObject({ provider: "echo", cost: 0, priced: true });
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  expect(said).not.toContain("REACHED OUT");
});
