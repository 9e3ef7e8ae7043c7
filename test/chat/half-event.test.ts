// Passed streams that end in the middle of an event, or just short of its blank line.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientWireIds } from "../../lib/model/wire-id.ts";
import { startGateway, startUpstream, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { providerOf, providersYaml, rawWires } from "../support/wires.ts";

let upstream: TestUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(providersYaml(upstream.url));
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

describe.each(clientWireIds)("%s", (id) => {
  const raw = rawWires[id];
  const model = `${providerOf[id]}/up`;
  const streamed = async (text: string): Promise<string> => {
    upstream.answer((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(text);
    });
    const response = await fetch(gateway.url + raw.path(model, true), {
      method: "POST",
      headers: { "content-type": "application/json", ...raw.headers },
      body: JSON.stringify(raw.body(model, true)),
    });
    return response.text();
  };

  test("a clean end in mid-event: the error stands in an event of its own (F26)", async () => {
    const text = await streamed(raw.begin + raw.end.slice(0, 25));
    expect(text.startsWith(raw.begin)).toBe(true);
    const rest = text.slice(raw.begin.length);
    expect(raw.inBandError(rest)).toBe(true);
    for (const [, data = ""] of rest.matchAll(/^data: (.*)$/gm)) {
      const told: unknown = data === "[DONE]" ? {} : JSON.parse(data);
      expect(told).toBeTypeOf("object");
    }
  });

  test("a last event without its blank line passes as it is", async () => {
    const whole = (raw.begin + raw.end).trimEnd();
    expect(await streamed(whole)).toBe(whole);
  });
});
