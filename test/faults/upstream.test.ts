// What upstreams do wrong, in every pair of client wire and provider wire: the client's own envelope, before the first event and after it.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientWireIds, type ClientWireId } from "../../lib/model/wire-id.ts";
import {
  type Answer,
  jsonAnswer,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
} from "../support/gateway.ts";
import { providerOf, providersYaml, rawWires } from "../support/wires.ts";

let upstream: TestUpstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(providersYaml(upstream.url), {}, (config) => {
    config.retry.attempts = 1;
  });
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

const call = (client: ClientWireId, provider: ClientWireId, stream: boolean): Promise<Response> => {
  const wire = rawWires[client];
  const model = `${providerOf[provider]}/up`;
  return fetch(gateway.url + wire.path(model, stream), {
    method: "POST",
    headers: { "content-type": "application/json", ...wire.headers },
    body: JSON.stringify(wire.body(model, stream)),
    signal: AbortSignal.timeout(10_000),
  });
};

const sse =
  (...pieces: string[]): Answer =>
  async (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const piece of pieces) {
      response.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
const then =
  (first: Answer, last: (response: Parameters<Answer>[1]) => void): Answer =>
  async (request, response) => {
    await first(request, response);
    last(response);
  };

type Fault = { answer: (provider: ClientWireId) => Answer; status: number | readonly number[]; streamOnly?: boolean };

/** Failures before the first event, and the status a client sees. */
const before: Record<string, Fault> = {
  "400": { answer: (wire) => jsonAnswer(400, rawWires[wire].error(400, "bad field")), status: 400 },
  "401": { answer: (wire) => jsonAnswer(401, rawWires[wire].error(401, "bad key")), status: 401 },
  "404": { answer: (wire) => jsonAnswer(404, rawWires[wire].error(404, "no such model")), status: [400, 404] },
  "429 with retry-after (F29)": {
    answer: (wire) => jsonAnswer(429, rawWires[wire].error(429, "slow down"), { "retry-after": "7" }),
    status: 429,
  },
  "500": { answer: (wire) => jsonAnswer(500, rawWires[wire].error(500, "oops")), status: [500, 502] },
  "503": { answer: (wire) => jsonAnswer(503, rawWires[wire].error(503, "down")), status: [502, 503, 529] },
  "529": { answer: (wire) => jsonAnswer(529, rawWires[wire].error(529, "overloaded")), status: [503, 529] },
  "HTML instead of JSON, as an error": {
    answer: () => (_request, response) => {
      response.writeHead(502, { "content-type": "text/html" });
      response.end("<html><body>Bad gateway</body></html>");
    },
    status: [500, 502, 503],
  },
  "HTML instead of JSON, under 200": {
    answer: () => (_request, response) => {
      response.writeHead(200, { "content-type": "text/html" });
      response.end("<html><body>Welcome</body></html>");
    },
    status: 502,
  },
  "an empty body under 200": {
    answer: () => (_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end();
    },
    status: 502,
  },
  "a connection that breaks before the headers": {
    answer: () => (_request, response) => void response.destroy(),
    status: 502,
  },
  "an empty stream": { answer: () => then(sse(), (response) => response.end()), status: 502, streamOnly: true },
  "an error chunk first, under 200 (F25, F27)": {
    answer: (wire) => then(sse(rawWires[wire].midError), (response) => response.end()),
    status: [500, 502, 503, 529],
    streamOnly: true,
  },
  "garbage instead of events": {
    answer: () => then(sse("data: {nonsense\n\ndata: ]]\n\n"), (response) => response.end()),
    status: 502,
    streamOnly: true,
  },
};

/** Failures after the first event. */
const after: Record<string, (wire: ClientWireId) => Answer> = {
  "an error event": (wire) => then(sse(rawWires[wire].begin, rawWires[wire].midError), (response) => response.end()),
  "a cut in mid-event": (wire) =>
    then(sse(rawWires[wire].begin, rawWires[wire].begin.slice(0, 17)), (response) => response.destroy()),
  "a clean end without the wire's own": (wire) => then(sse(rawWires[wire].begin), (response) => response.end()),
  garbage: (wire) => then(sse(rawWires[wire].begin, "data: {nonsense\n\n"), (response) => response.end()),
};

describe.each(clientWireIds)("client %s", (client) => {
  describe.each(clientWireIds)("provider %s", (provider) => {
    for (const [name, fault] of Object.entries(before))
      for (const stream of fault.streamOnly === true ? [true] : [true, false])
        test(`${name}, ${stream ? "streamed" : "whole"}: the client's envelope (F28)`, async () => {
          upstream.answer(fault.answer(provider));
          const response = await call(client, provider, stream);
          const body: unknown = JSON.parse(await response.text());
          rawWires[client].envelope(body);
          expect([fault.status].flat()).toContain(response.status);
          expect(response.headers.get("content-type")).toContain("application/json");
          expect(response.headers.get("x-request-id")).toBeTruthy();
          if (name.includes("retry-after")) expect(response.headers.get("retry-after")).toBe("7");
        });

    for (const [name, answer] of Object.entries(after))
      test(`${name} after the first event: the wire's own error, then a clean end (F26)`, async () => {
        upstream.answer(answer(provider));
        const response = await call(client, provider, true);
        expect(response.status).toBe(200);
        const text = await response.text();
        expect(text).toContain("Hello");
        expect(rawWires[client].inBandError(text), text.slice(-600)).toBe(true);
      });

    test("a good answer, streamed and whole, wherever it was cut", async () => {
      const raw = rawWires[provider];
      for (const size of [1, 7, 64, 100_000]) {
        const whole = Buffer.from(raw.begin + raw.end);
        upstream.answer(async (_request, response) => {
          response.writeHead(200, { "content-type": "text/event-stream" });
          for (let at = 0; at < whole.length; at += size) {
            response.write(whole.subarray(at, at + size));
            if (size > 1 || at % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
          }
          response.end();
        });
        const text = await (await call(client, provider, true)).text();
        expect(text).toContain("Hello");
        expect(rawWires[client].inBandError(text), text.slice(-300)).toBe(false);
        if (client === provider) expect(text).toBe(whole.toString("utf8"));
      }
      upstream.answer(jsonAnswer(200, raw.whole));
      const response = await call(client, provider, false);
      expect(response.status).toBe(200);
      expect(await response.text()).toContain("Hello");
    });
  });
});
