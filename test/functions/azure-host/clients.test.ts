// Every SDK and framework against the function app as it is deployed: plain, streaming, a tool loop, an error, leaving.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestFunctions } from "../../support/azure.ts";
import { type Client, clients } from "../../support/clients.ts";
import { until } from "../../support/gateway.ts";
import { keysYaml } from "../clouds/app.ts";
import { buildApp, faults, type FunctionApp } from "./bundles.ts";

let app: FunctionApp;
let functions: TestFunctions;
beforeAll(async () => {
  app = await buildApp("http://127.0.0.1:9", {}, `${keysYaml}models: { gemini-2.5-for-echo-echo: echo/echo }\n`);
  functions = await app.start();
});
afterAll(() => app.stop());

const verbs: Record<string, (client: Client, model: string) => Promise<void>> = {
  plain: async (client, model) => {
    expect(await client.plain(functions.url, model, "Say marmalade")).toContain("marmalade");
  },
  stream: async (client, model) => {
    const pieces = await client.stream(functions.url, model, "[[pace 5]] Say marmalade and more of it");
    expect(pieces.length).toBeGreaterThan(1);
    expect(pieces.join("")).toContain("marmalade");
  },
  "a tool loop": async (client, model) => {
    const { called, text } = await client.tools(functions.url, model, "What is the weather in Oslo?");
    expect(called).toEqual(["get_weather"]);
    expect(text).toContain("WEATHER-IS-FINE");
  },
  "an error": async (client, model) => {
    expect(await client.error(functions.url, model)).toBe(429);
  },
};

const named = clients.map((client) => ({
  name: client.name,
  client,
  model: client.nameOf?.("echo/echo") ?? "echo/echo",
}));

describe.concurrent.each(named)("$name", ({ client, model }) => {
  test.each(Object.keys(verbs))("%s", async (verb) => {
    await verbs[verb]?.(client, model);
  });
});

// One after the other: what is looked for must be this client's.
test.each(named)("$name: leaving", async ({ client, model }) => {
  const before = functions.output.length;
  await client.abort(functions.url, model, "[[pace 30]] [[long 400]] go on");
  await until(
    () => functions.output.slice(before).some((line) => line.includes('"disconnected":true')),
    "the record says so",
  );
});

test("the host saw no fault in all of this", () => {
  expect(faults(functions)).toEqual([]);
});
