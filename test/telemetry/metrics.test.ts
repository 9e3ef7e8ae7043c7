// /metrics as a scraper reads it: by unit of the registry, and after real calls.
import { expect, test } from "vitest";
import type { CallRecord } from "../../lib/telemetry/call-record.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { startGateway, startUpstream, until } from "../support/gateway.ts";
import { providersYaml, rawWires } from "../support/wires.ts";
import { parseMetrics, valueOf } from "./prometheus.ts";

const record = (change: Partial<CallRecord> = {}): CallRecord => ({
  requestId: "r",
  traceId: "t",
  wire: "openai-chat",
  operation: "generate",
  provider: "openai",
  model: "gpt",
  requestedModel: "fast",
  stream: false,
  status: 200,
  totalMs: 20,
  attempts: 1,
  disconnected: false,
  keyName: "me",
  tenant: "default",
  ...change,
});

test("nothing yet: every family is declared, with help and type", () => {
  const families = parseMetrics(createMetrics().render());
  expect([...families].map(([name, { type }]) => `${name} ${type}`)).toEqual([
    "heddle_requests_total counter",
    "heddle_errors_total counter",
    "heddle_tokens_total counter",
    "heddle_cost_dollars_total counter",
    "heddle_unpriced_requests_total counter",
    "heddle_upstream_attempts_total counter",
    "heddle_client_disconnects_total counter",
    "heddle_request_duration_seconds histogram",
    "heddle_time_to_first_token_seconds histogram",
  ]);
});

test("requests by class of status, errors by code, attempts, disconnects", () => {
  const metrics = createMetrics();
  metrics.record(record());
  metrics.record(record({ attempts: 3 }));
  metrics.record(record({ status: 429, errorCode: "rate_limited" }));
  metrics.record(record({ status: 499, errorCode: "cancelled", disconnected: true }));
  const families = parseMetrics(metrics.render());
  const one = { provider: "openai", model: "gpt", wire: "openai-chat" };
  expect(valueOf(families, "heddle_requests_total", { ...one, operation: "generate", status: "2xx" })).toBe(2);
  expect(valueOf(families, "heddle_requests_total", { status: "4xx" })).toBe(2);
  expect(families.get("heddle_errors_total")?.samples).toEqual([
    { name: "heddle_errors_total", labels: { ...one, code: "rate_limited" }, value: 1 },
  ]);
  expect(valueOf(families, "heddle_upstream_attempts_total")).toBe(6);
  expect(valueOf(families, "heddle_client_disconnects_total")).toBe(1);
});

test("histograms are cumulative, in seconds, and hold what lies beyond the last bound", () => {
  const metrics = createMetrics();
  for (const totalMs of [5, 10, 11, 700, 4_000, 400_000]) metrics.record(record({ totalMs }));
  metrics.record(record({ totalMs: 1_000, ttftMs: 250 }));
  const families = parseMetrics(metrics.render());
  const below = (le: string): number => valueOf(families, "heddle_request_duration_seconds_bucket", { le });
  expect(["0.01", "0.025", "0.5", "1", "5", "300", "+Inf"].map(below)).toEqual([2, 3, 3, 5, 6, 6, 7]);
  expect(valueOf(families, "heddle_request_duration_seconds_sum")).toBeCloseTo(405.726, 6);
  expect(valueOf(families, "heddle_time_to_first_token_seconds_count")).toBe(1);
  expect(valueOf(families, "heddle_time_to_first_token_seconds_bucket", { le: "0.1" })).toBe(0);
  expect(valueOf(families, "heddle_time_to_first_token_seconds_bucket", { le: "0.25" })).toBe(1);
});

test("labels are escaped: quotes, backslashes, line ends", () => {
  const odd = 'a"b\\c\nd{e="f"},g';
  const metrics = createMetrics();
  metrics.record(record({ model: odd, provider: odd, wire: odd, operation: odd, errorCode: odd }));
  const families = parseMetrics(metrics.render());
  expect(families.get("heddle_errors_total")?.samples[0]?.labels).toEqual({
    provider: odd,
    model: odd,
    wire: odd,
    code: odd,
  });
});

test("tokens by kind, cost, and calls without a price apart (F37)", () => {
  const metrics = createMetrics();
  metrics.record(record({ usage: { input: 100, cachedInput: 60, output: 9, reasoning: 4 }, cost: 0.25, priced: true }));
  metrics.record(record({ usage: { input: 10, cacheWrite: 5, output: 1 }, priced: false }));
  const families = parseMetrics(metrics.render());
  const tokens = Object.fromEntries(
    (families.get("heddle_tokens_total")?.samples ?? []).map(({ labels, value }) => [labels["kind"], value]),
  );
  expect(tokens).toEqual({ input: 110, cached_input: 60, cache_write: 5, output: 10, reasoning: 4 });
  expect(valueOf(families, "heddle_cost_dollars_total")).toBe(0.25);
  expect(valueOf(families, "heddle_unpriced_requests_total")).toBe(1);
});

test("names of callers' making can't grow the memory: they count as `other`", () => {
  const metrics = createMetrics({ models: ["named"] });
  metrics.record(record({ model: "named", status: 500, errorCode: "internal" }));
  metrics.record(record({ model: "made-up", status: 404, errorCode: "model_not_found" }));
  metrics.record(record({ model: "x".repeat(201) }));
  metrics.record(record({ provider: "", model: "nowhere", status: 404, errorCode: "model_not_found" }));
  for (let at = 0; at < 500; at += 1) metrics.record(record({ model: `m${at}` }));
  const models = new Set(
    (parseMetrics(metrics.render()).get("heddle_requests_total")?.samples ?? []).map(({ labels }) => labels["model"]),
  );
  expect(models.size).toBeLessThanOrEqual(202);
  for (const model of ["named", "other", "", "m0"]) expect(models).toContain(model);
  expect(models).not.toContain("made-up");
});

test("streams that are being answered are counted up and down", () => {
  const metrics = createMetrics();
  const over = metrics.streamStarted("openai-chat");
  metrics.streamStarted("openai-chat");
  const active = (): number =>
    valueOf(parseMetrics(metrics.render()), "heddle_active_streams", { wire: "openai-chat" });
  expect(active()).toBe(2);
  over();
  over();
  expect(active()).toBe(1);
});

test("after real calls /metrics is the scraper's format, and its numbers are those of the log", async () => {
  const upstream = await startUpstream();
  const gateway = await startGateway(
    `${providersYaml(upstream.url)}\n  echo: { pace: 0 }\nprices: { up: { input: 1, output: 2 } }\n`,
  );
  const call = async (model: string, stream: boolean): Promise<string> => {
    const body = JSON.stringify(rawWires["openai-chat"].body(model, stream));
    return (await fetch(`${gateway.url}/v1/chat/completions`, { method: "POST", body })).text();
  };
  upstream.answer((_request, response) => void response.end(JSON.stringify(rawWires["openai-chat"].whole)));
  await call("compat/up", false);
  await call("echo/echo", true);
  await call("nobody/up", false);

  let begun = false;
  upstream.answer((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(rawWires["openai-chat"].begin);
    begun = true;
  });
  const leaving = new AbortController();
  const open = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify(rawWires["openai-chat"].body("compat/up", true)),
    signal: leaving.signal,
  });
  const scrape = async (): Promise<ReturnType<typeof parseMetrics>> => {
    const response = await fetch(`${gateway.url}/metrics`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    return parseMetrics(await response.text());
  };
  expect([open.status, begun]).toEqual([200, true]);
  expect(valueOf(await scrape(), "heddle_active_streams", { wire: "openai-chat" })).toBe(1);
  leaving.abort();
  await until(() => gateway.logs.length === 4, "the record of the call that was left");

  const families = await scrape();
  expect(valueOf(families, "heddle_active_streams", { wire: "openai-chat" })).toBe(0);
  expect(valueOf(families, "heddle_requests_total")).toBe(4);
  expect(valueOf(families, "heddle_client_disconnects_total")).toBe(1);
  expect(valueOf(families, "heddle_errors_total")).toBe(1);
  const logged = (field: string): number => gateway.logs.reduce((sum, line) => sum + Number(line[field] ?? 0), 0);
  expect(valueOf(families, "heddle_tokens_total", { kind: "input" })).toBe(logged("inputTokens"));
  expect(valueOf(families, "heddle_tokens_total", { kind: "output" })).toBe(logged("outputTokens"));
  expect(valueOf(families, "heddle_cost_dollars_total")).toBeCloseTo(logged("cost"), 12);
  expect(valueOf(families, "heddle_upstream_attempts_total")).toBe(logged("attempts"));
  expect(valueOf(families, "heddle_request_duration_seconds_count")).toBe(4);
  await gateway.stop();
  await upstream.stop();
});
