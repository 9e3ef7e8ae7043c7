// The SDKs and frameworks people use, each against each provider wire: plain, stream, tool loop, parallel calls, structured output,
// image, reasoning, error, abort. The upstream is a second gateway, whose echo provider speaks all four wires. Prints the matrix.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientWireIds, type ClientWireId } from "../../lib/model/wire-id.ts";
import { startGateway, type TestGateway, until } from "../support/gateway.ts";
import { type Client, clients } from "../support/clients.ts";
import { providerOf, providersYaml } from "../support/wires.ts";

let upstream: TestGateway;
let gateway: TestGateway;
const matrix = new Map<string, Map<string, "ok" | "FAILED">>();

beforeAll(async () => {
  // Every model name is answered by echo, so that a provider's own check of names is out of the way.
  const names = ["claude-up", "gpt-up", "compat-up", "gemini-up", "echo-reasoning"];
  upstream = await startGateway(
    `providers: { echo: { kind: echo, pace: 0 } }\nmodels:\n${names.map((name) => `  ${name}: echo/${name === "echo-reasoning" ? name : "echo"}`).join("\n")}\n`,
  );
  gateway = await startGateway(providersYaml(upstream.url), {}, (config) => {
    config.retry.attempts = 1;
  });
});
afterAll(async () => {
  const rows = [...matrix].map(([client, cells]) => {
    const failed = [...cells].filter(([, state]) => state === "FAILED").map(([cell]) => cell);
    return `${client.padEnd(28)} ${cells.size - failed.length}/${cells.size}${failed.length > 0 ? `  failed: ${failed.join(", ")}` : ""}`;
  });
  process.stdout.write(`\nclients by provider wire and verb\n${rows.join("\n")}\n`);
  await gateway.stop();
  await upstream.stop();
});

const modelOf: Record<ClientWireId, string> = {
  "anthropic-messages": "claude-up",
  "openai-chat": "compat-up",
  "openai-responses": "gpt-up",
  "gemini-generate": "gemini-up",
};

const verbs: Record<string, (client: Client, model: string) => Promise<void>> = {
  plain: async (client, model) => {
    expect(await client.plain(gateway.url, model, "Say marmalade")).toContain("marmalade");
  },
  stream: async (client, model) => {
    const pieces = await client.stream(gateway.url, model, "Say marmalade");
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join("")).toContain("marmalade");
  },
  "tool loop": async (client, model) => {
    const { called, text } = await client.tools(gateway.url, model, "What is the weather in Oslo?");
    expect(called[0]).toBe("get_weather");
    expect(text).toContain("WEATHER-IS-FINE");
  },
  "structured output": async (client, model) => {
    const book = (await client.structured(gateway.url, model)) as { title: string; pages: number };
    expect(typeof book.title).toBe("string");
    expect(Number.isInteger(book.pages)).toBe(true);
  },
  image: async (client, model) => {
    expect(await client.image(gateway.url, model)).toContain("image/png");
  },
  error: async (client, model) => {
    expect(await client.error(gateway.url, model)).toBe(429);
  },
  abort: async (client, model) => {
    const before = upstream.logs.length;
    await client.abort(gateway.url, model, "[[pace 30]] [[long 400]] go on");
    // The upstream hears of it: its own record says that the caller left (F30).
    await until(() => upstream.logs.slice(before).some((line) => line["disconnected"] === true), "the upstream was let go");
  },
};

describe.each(clients.map((client) => ({ name: client.name, client })))("$name", ({ client }) => {
  for (const wire of clientWireIds)
    for (const [verb, run] of Object.entries(verbs))
      test(`${verb}, provider on ${wire}`, async () => {
        const row = matrix.get(client.name) ?? new Map<string, "ok" | "FAILED">();
        matrix.set(client.name, row);
        row.set(`${verb} @ ${wire}`, "FAILED");
        await run(client, `${providerOf[wire]}/${modelOf[wire]}`);
        row.set(`${verb} @ ${wire}`, "ok");
      });
});
