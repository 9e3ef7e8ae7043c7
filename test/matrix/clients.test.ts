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

const modelOf: Record<ClientWireId, string> = {
  "anthropic-messages": "claude-up",
  "openai-chat": "compat-up",
  "openai-responses": "gpt-up",
  "gemini-generate": "gemini-up",
};

beforeAll(async () => {
  // Every model name is answered by echo, so that a provider's own check of names is out of the way.
  const names = Object.values(modelOf).flatMap((name) => [name, `${name}-thinking`]);
  upstream = await startGateway(
    `providers: { echo: { kind: echo, pace: 0 } }\nmodels:\n${names.map((name) => `  ${name}: echo/${name.endsWith("-thinking") ? "echo-reasoning" : "echo"}`).join("\n")}\n`,
  );
  const targets = clientWireIds.flatMap((wire) =>
    ["", "-thinking"].map((kind) => `${providerOf[wire]}/${modelOf[wire]}${kind}`),
  );
  const aliases = targets.map((target) => `  gemini-2.5-for-${target.replace("/", "-")}: ${target}`);
  gateway = await startGateway(`${providersYaml(upstream.url)}models:\n${aliases.join("\n")}\n`, {}, (config) => {
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

const verbs: Record<string, (client: Client, model: string) => Promise<void>> = {
  plain: async (client, model) => {
    expect(await client.plain(gateway.url, model, "Say marmalade")).toContain("marmalade");
  },
  stream: async (client, model) => {
    const pieces = await client.stream(gateway.url, model, "[[pace 5]] Say marmalade and more of it");
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join("")).toContain("marmalade");
  },
  "tool loop": async (client, model) => {
    const { called, text } = await client.tools(gateway.url, model, "What is the weather in Oslo?");
    expect(called).toEqual(["get_weather"]);
    expect(text).toContain("WEATHER-IS-FINE");
  },
  "parallel tools": async (client, model) => {
    const { called, text } = await client.tools(gateway.url, model, "Weather and time in Oslo, in parallel");
    expect([...called].sort()).toEqual(["get_time", "get_weather"]);
    expect(text).toContain("WEATHER-IS-FINE");
  },
  "tool loop with reasoning": async (client, model) => {
    const { called, text } = await client.tools(gateway.url, `${model}-thinking`, "What is the weather in Oslo?");
    expect(called).toEqual(["get_weather"]);
    expect(text).toContain("WEATHER-IS-FINE");
  },
  reasoning: async (client, model) => {
    const { thought, text } = await client.reasoning!(gateway.url, `${model}-thinking`, "Say marmalade");
    expect(thought).not.toBe("");
    expect(text).toContain("go on");
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
    await until(
      () => upstream.logs.slice(before).some((line) => line["disconnected"] === true),
      "the upstream was let go",
    );
  },
};

describe.each(clients.map((client) => ({ name: client.name, client })))("$name", ({ client }) => {
  for (const wire of clientWireIds)
    for (const [verb, run] of Object.entries(verbs).filter(
      ([name]) => name !== "reasoning" || client.reasoning !== undefined,
    ))
      test(`${verb}, provider on ${wire}`, async () => {
        const row = matrix.get(client.name) ?? new Map<string, "ok" | "FAILED">();
        matrix.set(client.name, row);
        row.set(`${verb} @ ${wire}`, "FAILED");
        const model = `${providerOf[wire]}/${modelOf[wire]}`;
        await run(client, client.nameOf?.(model) ?? model);
        row.set(`${verb} @ ${wire}`, "ok");
      });
});
