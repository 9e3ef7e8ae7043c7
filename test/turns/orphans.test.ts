// What broke off leaves no orphan: calls that nobody answered, answers that were cut in a call, reach the next provider as something
// it takes (F51).
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../lib/model/json.ts";
import { type ClientWireId, clientWireIds } from "../../lib/model/wire-id.ts";
import { dataFolder } from "../support/data.ts";
import { startGateway, startUpstream, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { grammar } from "../support/grammar.ts";
import { providerOf, providersYaml, rawWires } from "../support/wires.ts";
import { framesOn, makerOf, scripts } from "./scripts.ts";

const data = dataFolder();
let upstream: TestUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(providersYaml(upstream.url), { HEDDLE_DATA: data.path }, (config) => {
    config.retry.attempts = 1;
  });
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
  data.remove();
});

/** The provider says these frames; the connection then breaks, or ends. */
const says = (frames: readonly string[], breaks = false): void =>
  upstream.answer(async (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const frame of frames) response.write(frame);
    if (!breaks) {
      response.end();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    response.destroy();
  });

const say = async (
  wire: ClientWireId,
  thread: string,
  text: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; thread: string; sent: JsonObject }> => {
  upstream.requests.length = 0;
  const raw = rawWires[wire];
  const model = `${providerOf[wire]}/up`;
  const response = await fetch(gateway.url + raw.path(model, true), {
    method: "POST",
    headers: { "content-type": "application/json", "heddle-thread": thread, ...raw.headers, ...headers },
    body: JSON.stringify(raw.body(model, true, text)),
  });
  await response.text();
  return {
    status: response.status,
    thread: response.headers.get("heddle-thread") ?? "",
    sent: JSON.parse(upstream.requests[0]?.body ?? "{}") as JsonObject,
  };
};

const script = (name: string, wire: ClientWireId): string[] => framesOn(wire, scripts[name]?.(makerOf[wire]) ?? []);

describe.each(clientWireIds)("made on %s", (first) => {
  test.each(clientWireIds)("calls that nobody answers, then a question on %s", async (second) => {
    says(script("parallel tool calls", first));
    const { thread } = await say(first, "new", "What is there?");
    const refused = await say(second, thread, "Never mind.");
    expect(refused.status).toBe(409);
    expect(upstream.requests).toEqual([]);
    says(script("text", second));
    const { status, sent } = await say(second, thread, "Never mind.", { "heddle-on-conflict": "interrupt" });
    expect(status).toBe(200);
    expect(grammar[second](sent)).toEqual([]);
    expect(JSON.stringify(sent)).toContain("The call was not carried out.");
    expect(JSON.stringify(sent)).toContain("Never mind.");
  });

  test.each(clientWireIds)("an answer that breaks off anywhere, then a question on %s", async (second) => {
    const frames = script("parallel tool calls", first);
    for (const count of [1, Math.ceil(frames.length / 3), Math.ceil((2 * frames.length) / 3), frames.length - 1]) {
      says(frames.slice(0, count), true);
      const { thread } = await say(first, "new", "What is there?");
      says(script("text", second));
      const { status, sent } = await say(second, thread, "And then?", { "heddle-on-conflict": "interrupt" });
      expect(status).toBe(200);
      expect(grammar[second](sent), `after ${count} of ${frames.length} frames`).toEqual([]);
      expect(JSON.stringify(sent)).toContain("And then?");
    }
  });
});
