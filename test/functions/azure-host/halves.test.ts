// Requests whose invocation never comes, and invocations whose request never does: a client can bring about either, and the host would end the
// process for it, with all that runs there.
import { request as openRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestFunctions } from "../../support/azure.ts";
import { buildApp, faults, type FunctionApp } from "./bundles.ts";

const id = "00000000-0000-4000-8000-000000000000";

describe("halves of a call", { timeout: 60_000 }, () => {
  let app: FunctionApp;
  let functions: TestFunctions;
  beforeAll(async () => {
    app = await buildApp("http://127.0.0.1:9");
    functions = await app.start({ triggers: false });
  }, 60_000);
  afterAll(() => app.stop());

  const get = (path: string, headers: Record<string, string> = {}): Promise<{ status: number }> =>
    new Promise((resolve, reject) => {
      const sent = openRequest(functions.url, { path, headers, agent: false }, (response) => {
        response.resume().on("end", () => resolve({ status: response.statusCode ?? 0 }));
      });
      sent.on("error", reject).end();
    });

  test("are answered in time, and end", async () => {
    const before = await functions.pid();
    expect((await get("/health")).status).toBe(200);
    const executed = (how: string): number =>
      functions.logs.filter((line) => line.startsWith(`Executed 'Functions.gateway' (${how}`)).length;
    await expect.poll(() => executed("Succeeded"), { timeout: 10_000 }).toBe(1);
    const [event, unknown, twice, large, host] = await Promise.all([
      // An id that isn't one: known at once.
      get("/health", { "x-ms-invocation-id": "error" }),
      // One that could be the host's.
      get("/health", { "x-ms-invocation-id": id }),
      get("/health", { "x-ms-invocation-id": id }),
      // More than Node's own parser takes by itself: App Service has the address in two headers more.
      get(`/health?x=${"x".repeat(6_000)}`),
      // What no address can be made of.
      get("/health", { host: "app.example:99999999" }),
      // What no header can be made of.
      get(`/health?Headers=${encodeURIComponent('{"a b":"c"}')}`),
    ]);
    expect([event, unknown, twice, large, host].map(({ status }) => status)).toEqual([400, 400, 400, 200, 200]);
    await expect.poll(() => executed("Succeeded"), { timeout: 40_000 }).toBe(1 + 6);
    // Nobody is to be woken by what a client does.
    expect(faults(functions)).toEqual([]);
    expect(await functions.pid()).toBe(before);
    expect((await get("/health")).status).toBe(200);
  });
});
