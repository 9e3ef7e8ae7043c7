// The function app's own bundle under the local Functions host: the official SDKs stream through the library's proxy, and every stream ends well.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startUpstream, type TestUpstream, until } from "../../support/gateway.ts";
import type { TestFunctions } from "../../support/azure.ts";
import { key } from "../clouds/app.ts";
import { frame, openaiScript, send, testStreams } from "../clouds/streams.ts";
import { buildApp, faults, type FunctionApp, linesOf } from "./bundles.ts";

describe("the gateway on Azure Functions", () => {
  let upstream: TestUpstream;
  let app: FunctionApp;
  let functions: TestFunctions;
  beforeAll(async () => {
    upstream = await startUpstream();
    app = await buildApp(upstream.url);
    functions = await app.start();
  });
  afterAll(async () => {
    await app.stop();
    await upstream.stop();
  });

  testStreams({
    upstream: () => upstream,
    at: () => functions,
    startShort: () => app.start({ env: { HEDDLE_HTTP_SECONDS: "2" } }),
    endLine: "Executed ",
    faults,
  });

  test("calls at once share the process, and none waits for another", async () => {
    const prompts = Array.from({ length: 40 }, (_, at) => `number${at} [[stall 300]] [[pace 0]]`);
    const texts = await Promise.all(
      prompts.map(async (prompt) => (await send(functions, "openai-chat", prompt)).text()),
    );
    texts.forEach((text, at) => expect(text).toContain(`number${at}.`));
  });

  test("a client that leaves: the upstream of its call is let go (F30)", async () => {
    const began = upstream.requests.length;
    upstream.answer((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const event of openaiScript.slice(0, 3)) response.write(frame(event));
    });
    const leaving = new AbortController();
    const response = await fetch(`${functions.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "openai/gpt-test", stream: true, messages: [{ role: "user", content: "Hi" }] }),
      signal: leaving.signal,
    });
    await response.body?.getReader().read();
    leaving.abort();
    await until(() => upstream.requests[began]?.aborted === true, "the upstream was let go");
  });

  test("headers are the request's own: none comes by the query or the body", async () => {
    const forged = JSON.stringify({ authorization: `Bearer ${key}` });
    const byQuery = await fetch(`${functions.url}/v1/models?Headers=${encodeURIComponent(forged)}`);
    expect(byQuery.status).toBe(401);
    const byBody = await fetch(`${functions.url}/v1/chat/completions`, {
      method: "POST",
      body: JSON.stringify({ Headers: forged, model: "echo/echo", messages: [{ role: "user", content: "Hi" }] }),
    });
    expect(byBody.status).toBe(401);
    const hidden = await fetch(`${functions.url}/v1/models?headers=1`, { headers: { authorization: `Bearer ${key}` } });
    expect(hidden.status).toBe(200);
  });

  test("its lines are whole JSON: a record and a metric of each call, no prompt, no key", () => {
    const lines = linesOf(functions);
    const calls = lines.filter((line) => line["message"] === "call");
    const metrics = lines.filter((line) => line["heddle.metrics"] === 1);
    expect(calls.length).toBeGreaterThan(40);
    expect(metrics.length).toBeGreaterThan(40);
    for (const line of functions.output.filter((each) => each.includes("heddle.metrics")))
      expect(line.startsWith('{"heddle.metrics":1,')).toBe(true);
    expect(metrics.some((line) => line["Wire"] === "gemini-generate" && Number(line["OutputTokens"]) > 0)).toBe(true);
    const text = functions.logs.join("\n");
    expect(text).not.toContain("number7");
    expect(text).not.toMatch(/fake-(?:client|openai|anthropic)-key/);
  });

  test("the host saw no fault in all of this", () => {
    expect(faults(functions)).toEqual([]);
  });
});
