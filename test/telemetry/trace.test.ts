// Trace context through the gateway: a caller's trace goes on at the provider, from a span of the gateway's own.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { clientWireIds } from "../../lib/model/wire-id.ts";
import { traceOf } from "../../lib/telemetry/trace.ts";
import { jsonAnswer, startGateway, startUpstream, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { providersYaml, rawWires } from "../support/wires.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const callerSpan = "00f067aa0ba902b7";
const valid = `00-${traceId}-${callerSpan}-01`;

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
beforeEach(() => {
  gateway.logs.length = 0;
  upstream.requests.length = 0;
});

/** Calls on the Chat wire, answered on another: what the upstream got, and what was logged. */
const call = async (
  headers: Record<string, string>,
  provider: "compat" | "anthropic" = "compat",
): Promise<{ traceparent: string; tracestate: string | undefined; logged: unknown }> => {
  upstream.answer(jsonAnswer(200, rawWires[provider === "compat" ? "openai-chat" : "anthropic-messages"].whole));
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    headers,
    body: JSON.stringify({ model: `${provider}/up`, messages: [{ role: "user", content: "hi" }] }),
  });
  expect(response.status).toBe(200);
  await response.text();
  const seen = upstream.requests[0]?.headers ?? {};
  return {
    traceparent: String(seen["traceparent"]),
    tracestate: seen["tracestate"] === undefined ? undefined : String(seen["tracestate"]),
    logged: gateway.logs[0]?.["traceId"],
  };
};

test.each(["compat", "anthropic"] as const)(
  "a valid one: its trace goes on under a new parent (%s)",
  async (provider) => {
    const { traceparent, tracestate, logged } = await call({ traceparent: valid, tracestate: "vendor=abc" }, provider);
    expect(traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    expect(traceparent).not.toContain(callerSpan);
    expect(tracestate).toBe("vendor=abc");
    expect(logged).toBe(traceId);
  },
);

test("not sampled stays not sampled", async () => {
  const { traceparent } = await call({ traceparent: `00-${traceId}-${callerSpan}-00` });
  expect(traceparent).toMatch(/-00$/);
});

test("none: a trace begins here, one a call", async () => {
  const first = await call({});
  gateway.logs.length = 0;
  upstream.requests.length = 0;
  const second = await call({});
  for (const { traceparent, logged } of [first, second]) {
    expect(traceparent).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]$/);
    expect(traceparent.split("-")[1]).toBe(logged);
  }
  expect(first.logged).not.toBe(second.logged);
});

test.each([
  ["not one", "hello"],
  ["another version's length", `00-${traceId}-${callerSpan}-01-more`],
  ["version ff", `ff-${traceId}-${callerSpan}-01`],
  ["upper case", valid.toUpperCase()],
  ["a trace of zeros", `00-${"0".repeat(32)}-${callerSpan}-01`],
  ["a parent of zeros", `00-${traceId}-${"0".repeat(16)}-01`],
  ["short", `00-${traceId.slice(1)}-${callerSpan}-01`],
  ["two of them", `${valid}, ${valid}`],
])("malformed (%s): ignored, and its state with it", async (_what, header) => {
  const { traceparent, tracestate } = await call({ traceparent: header, tracestate: "vendor=abc" });
  expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
  expect(traceparent).not.toContain(traceId);
  expect(tracestate).toBeUndefined();
});

test("a later version is read as far as it is known", () => {
  expect(traceOf({ traceparent: `01-${traceId}-${callerSpan}-01-more` })).toMatchObject({
    traceId,
    parentId: callerSpan,
    sampled: true,
  });
});

test.each(clientWireIds)("token counts and refusals of %s are in the trace too", async (id) => {
  const wire = rawWires[id];
  await fetch(gateway.url + wire.path("nobody/up", false), {
    method: "POST",
    headers: { ...wire.headers, traceparent: valid },
    body: JSON.stringify(wire.body("nobody/up", false)),
  });
  await fetch(gateway.url + wire.path("compat/up", false), {
    method: "POST",
    headers: { traceparent: valid },
    body: "{",
  });
  expect(gateway.logs.map((line) => [line["status"], line["traceId"]])).toEqual([
    [404, traceId],
    [400, traceId],
  ]);
});

test("a count's request carries the trace", async () => {
  upstream.answer(jsonAnswer(200, { input_tokens: 3 }));
  await fetch(`${gateway.url}/v1/messages/count_tokens`, {
    method: "POST",
    headers: { traceparent: valid },
    body: JSON.stringify({ model: "anthropic/up", messages: [{ role: "user", content: "hi" }] }),
  });
  expect(upstream.requests[0]?.headers["traceparent"]).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  expect(gateway.logs[0]).toMatchObject({ operation: "count-tokens", traceId });
});
