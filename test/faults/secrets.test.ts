// Canaries in every credential and prompt, and none of them in any output (F41).
import { afterAll, beforeAll, expect, test } from "vitest";
import { clientWireIds } from "../../lib/model/wire-id.ts";
import {
  type Answer,
  jsonAnswer,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
} from "../support/gateway.ts";
import { providerOf, rawWires } from "../support/wires.ts";

const providerKeys = ["anthropic", "openai", "compat", "gemini"].map((name) => `canary-provider-${name}-4f9a1c`);
const clientKey = "canary-client-key-77aa21bc";
const prompt = "canary-prompt-the-moon-is-a-loom";
const answerText = "canary-answer-the-sun-is-a-shuttle";

let upstream: TestUpstream;
let gateway: TestGateway;
const outputs: string[] = [];

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(
    `
providers:
  anthropic: { apiKey: ${providerKeys[0]}, baseUrl: "${upstream.url}" }
  openai: { apiKey: ${providerKeys[1]}, baseUrl: "${upstream.url}/v1" }
  compat: { kind: openai-compatible, apiKey: ${providerKeys[2]}, baseUrl: "${upstream.url}/v1" }
  gemini: { apiKey: ${providerKeys[3]}, baseUrl: "${upstream.url}" }
auth: { mode: keys, keys: [{ name: tester, key: ${clientKey} }] }
log: { level: debug }
`,
    {},
    (config) => {
      config.retry.attempts = 1;
    },
  );
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

/** An upstream that quotes the key it was called with, as some do. */
const quotesKey =
  (wire: keyof typeof rawWires): Answer =>
  (request, response) => {
    const key = [request.headers["x-api-key"], request.headers["x-goog-api-key"], request.headers.authorization]
      .filter(Boolean)
      .join(" ");
    void jsonAnswer(401, rawWires[wire].error(401, `Incorrect API key provided: ${key}.`))(request, response);
  };

test("no key and no prompt in logs, errors, metrics or headers", async () => {
  for (const client of clientWireIds)
    for (const provider of clientWireIds)
      for (const answer of [
        quotesKey(provider),
        jsonAnswer(200, JSON.parse(JSON.stringify(rawWires[provider].whole).replaceAll("Hello", answerText))),
        jsonAnswer(500, "<html>broken</html>"),
      ]) {
        upstream.answer(answer);
        const wire = rawWires[client];
        const model = `${providerOf[provider]}/up`;
        const path = wire.path(model, false);
        // Gemini's key in the query is the easiest to leak of all.
        const url = client === "gemini-generate" ? `${gateway.url}${path}?key=${clientKey}` : gateway.url + path;
        const headers = client === "gemini-generate" ? {} : { authorization: `Bearer ${clientKey}` };
        const response = await fetch(url, {
          method: "POST",
          headers: { "content-type": "application/json", ...headers },
          body: JSON.stringify(wire.body(model, false, prompt)),
        });
        const text = await response.text();
        if (response.status !== 200) outputs.push(text);
        outputs.push(JSON.stringify([...response.headers]));
      }
  for (const path of ["/nowhere", `/nowhere?key=${clientKey}`, "/v1/models/none"])
    outputs.push(await (await fetch(gateway.url + path, { headers: { authorization: `Bearer ${clientKey}` } })).text());
  outputs.push(await (await fetch(`${gateway.url}/v1/models?key=wrong-${clientKey}`)).text());
  outputs.push(
    await (await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${clientKey}` } })).text(),
  );
  outputs.push(
    await (
      await fetch(`${gateway.url}/health/providers`, { headers: { authorization: `Bearer ${clientKey}` } })
    ).text(),
  );
  outputs.push(...gateway.rawLogs);

  expect(gateway.rawLogs.length).toBeGreaterThanOrEqual(48);
  const all = outputs.join("\n");
  for (const canary of [...providerKeys, clientKey, prompt, answerText]) expect(all).not.toContain(canary);
});
