// Two scripted hosts behind one gateway, each on a wire of its own, and an alias that tries the first, then the second.
import { clientWireIds, type ClientWireId } from "../../lib/model/wire-id.ts";
import type { HeddleConfig } from "../../lib/config-types.ts";
import { type Answer, startGateway, startUpstream, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { rawWires } from "../support/wires.ts";

const providerYaml: Record<ClientWireId, (url: string) => string> = {
  "anthropic-messages": (url) => `{ kind: anthropic, apiKey: fake-key-of-host, baseUrl: "${url}" }`,
  "openai-chat": (url) => `{ kind: openai-compatible, apiKey: fake-key-of-host, baseUrl: "${url}/v1" }`,
  "openai-responses": (url) =>
    `{ kind: openai, apiKey: fake-key-of-host, baseUrl: "${url}/v1", wires: [openai-responses] }`,
  "gemini-generate": (url) => `{ kind: gemini, apiKey: fake-key-of-host, baseUrl: "${url}" }`,
};

export type TwoHosts = {
  first: TestUpstream;
  second: TestUpstream;
  /** A gateway of its own, breaker and all, whose hosts speak these wires. The alias is `chain`. */
  gateway: (
    firstWire: ClientWireId,
    secondWire: ClientWireId,
    change?: (config: HeddleConfig) => void,
  ) => Promise<TestGateway>;
  stop: () => Promise<void>;
};

export const startTwoHosts = async (): Promise<TwoHosts> => {
  const first = await startUpstream();
  const second = await startUpstream();
  const gateways: TestGateway[] = [];
  return {
    first,
    second,
    gateway: async (firstWire, secondWire, change = () => undefined) => {
      first.requests.length = 0;
      second.requests.length = 0;
      const started = await startGateway(
        `
providers:
  first: ${providerYaml[firstWire](first.url)}
  second: ${providerYaml[secondWire](second.url)}
models:
  chain: { strategy: fallback, targets: [first/up, second/up] }
`,
        {},
        (config) => {
          config.retry = { attempts: 1, baseDelayMs: 1, maxDelayMs: 50, totalMs: 5_000 };
          change(config);
        },
      );
      gateways.push(started);
      return started;
    },
    stop: async () => {
      await Promise.all(gateways.map((each) => each.stop()));
      await Promise.all([first.stop(), second.stop()]);
    },
  };
};

export const ask = (
  gateway: TestGateway,
  client: ClientWireId,
  stream: boolean,
  more: { model?: string; headers?: Record<string, string>; body?: Record<string, unknown>; signal?: AbortSignal } = {},
): Promise<Response> => {
  const wire = rawWires[client];
  const model = more.model ?? "chain";
  return fetch(gateway.url + wire.path(model, stream), {
    method: "POST",
    headers: { "content-type": "application/json", ...wire.headers, ...more.headers },
    body: JSON.stringify({ ...wire.body(model, stream), ...more.body }),
    signal: more.signal ?? AbortSignal.timeout(10_000),
  });
};

/** The whole good answer of a host on its wire. */
export const good =
  (wire: ClientWireId): Answer =>
  (request, response) => {
    const isStream = request.url.includes("stream") || request.body.includes('"stream":true');
    response.writeHead(200, { "content-type": isStream ? "text/event-stream" : "application/json" });
    response.end(isStream ? rawWires[wire].begin + rawWires[wire].end : JSON.stringify(rawWires[wire].whole));
  };

/** The wire of the second host, another one than the first's. */
export const nextWire = (wire: ClientWireId): ClientWireId =>
  clientWireIds[(clientWireIds.indexOf(wire) + 1) % clientWireIds.length] ?? "openai-chat";

/** The records of the calls that are over. */
export const records = (gateway: TestGateway): Record<string, unknown>[] =>
  gateway.logs.filter((line) => line["message"] === "call");
