// Upstreams that are too slow, in every pair of client wire and provider wire: the client's own envelope or event, not a hang.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClientWireId, clientWireIds } from "../../lib/model/wire-id.ts";
import { startGateway, startUpstream, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { providerOf, providersYaml, rawWires } from "../support/wires.ts";

let upstream: TestUpstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  // What the model's name says: no headers at all, or a first event and then silence.
  upstream.answer((request, response) => {
    const stalls = /stall-([a-z-]+)/.exec(request.url + request.body)?.[1];
    const wire = clientWireIds.find((id) => id === stalls);
    if (wire === undefined) return;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(rawWires[wire].begin);
  });
  gateway = await startGateway(providersYaml(upstream.url), {}, (config) => {
    config.retry.attempts = 1;
    config.timeouts.headersMs = 400;
    config.timeouts.idleMs = 400;
  });
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

const call = (client: ClientWireId, provider: ClientWireId, stream: boolean, model: string): Promise<Response> => {
  const wire = rawWires[client];
  const name = `${providerOf[provider]}/${model}`;
  return fetch(gateway.url + wire.path(name, stream), {
    method: "POST",
    headers: { "content-type": "application/json", ...wire.headers },
    body: JSON.stringify(wire.body(name, stream)),
    signal: AbortSignal.timeout(15_000),
  });
};

const pairs = clientWireIds.flatMap((client) => clientWireIds.map((provider) => [client, provider] as const));

describe.concurrent("slow headers: the client's envelope (F28)", () => {
  for (const stream of [true, false])
    test.each(pairs)(`client %s, provider %s, ${stream ? "streamed" : "whole"}`, async (client, provider) => {
      const response = await call(client, provider, stream, "silent");
      rawWires[client].envelope(JSON.parse(await response.text()));
      expect(response.status).toBe(504);
    });
});

describe.concurrent("a stall after the first event: the wire's own error, then a clean end (F26)", () => {
  test.each(pairs)("client %s, provider %s", async (client, provider) => {
    const response = await call(client, provider, true, `stall-${provider}`);
    expect(response.status).toBe(200);
    const text = await response.text();
    expect(text).toContain("Hello");
    expect(rawWires[client].inBandError(text), text.slice(-600)).toBe(true);
  });
});
