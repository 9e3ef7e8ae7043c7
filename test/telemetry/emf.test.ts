// Lines of Embedded Metric Format, as CloudWatch reads them.
import { expect, test } from "vitest";
import type { CallRecord } from "../../lib/telemetry/call-record.ts";
import { createEmf } from "../../lib/telemetry/emf.ts";

type Line = {
  _aws: {
    Timestamp: number;
    CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string; Unit?: string }[] }[];
  };
} & Record<string, unknown>;

const record: CallRecord = {
  requestId: "request-1",
  wire: "openai-chat",
  operation: "generate",
  provider: "openai",
  model: "a-model",
  requestedModel: "a-model",
  stream: true,
  status: 200,
  usage: { input: 10, output: 5 },
  cost: 0.001,
  ttftMs: 12,
  totalMs: 34,
  attempts: 1,
  disconnected: false,
  keyName: "app",
  tenant: "acme",
  traceId: "trace",
};

const lineOf = (change: Partial<CallRecord> = {}): Line => {
  const lines: string[] = [];
  createEmf({ write: (line) => lines.push(line), now: () => 1_700_000_000_000 }).record({ ...record, ...change });
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? "{}") as Line;
};

test("one line a call: few dimensions, and every metric that is named has its number", () => {
  const line = lineOf();
  const [told] = line._aws.CloudWatchMetrics;
  expect(line._aws.Timestamp).toBe(1_700_000_000_000);
  expect(told?.Namespace).toBe("Heddle");
  expect(told?.Dimensions).toEqual([["Wire", "Provider", "Operation"], []]);
  for (const { Name } of told?.Metrics ?? []) expect(line[Name], Name).toEqual(expect.any(Number));
  expect(line).toMatchObject({
    Wire: "openai-chat",
    Provider: "openai",
    Operation: "generate",
    Requests: 1,
    Errors: 0,
    RateLimited: 0,
    InputTokens: 10,
    OutputTokens: 5,
    Cost: 0.001,
    TimeToFirstToken: 12,
    Duration: 34,
  });
  // Who called, and with what, is the log's.
  expect(JSON.stringify(line)).not.toMatch(/acme|app|a-model|request-1/);
});

test("what is not known is not counted as nothing", () => {
  const { usage: _usage, cost: _cost, ttftMs: _ttft, ...rest } = record;
  const lines: string[] = [];
  createEmf({ write: (line) => lines.push(line), now: () => 0 }).record({ ...rest, provider: "", status: 401 });
  const line = JSON.parse(lines[0] ?? "{}") as Line;
  expect(line._aws.CloudWatchMetrics[0]?.Metrics.map(({ Name }) => Name)).toEqual([
    "Requests",
    "Errors",
    "RateLimited",
    "Duration",
  ]);
  // A dimension without a value would drop the line.
  expect(line["Provider"]).toBe("none");
});

test.each([
  ["a provider's failure", { status: 502, errorCode: "upstream_error" }, 1],
  ["one in the middle of a stream", { status: 200, errorCode: "upstream_error" }, 1],
  ["a caller's mistake", { status: 400, errorCode: "invalid_request" }, 0],
  ["a caller that left", { status: 200, errorCode: "cancelled", disconnected: true }, 0],
])("%s", (_name, change, errors) => {
  expect(lineOf(change)["Errors"]).toBe(errors);
});

test("rates that are exceeded, and budgets that are nearly spent", () => {
  expect(lineOf({ status: 429, errorCode: "rate_limited" })).toMatchObject({ RateLimited: 1, Errors: 0 });
  const lines: string[] = [];
  createEmf({ write: (line) => lines.push(line), now: () => 0 }).budgetAlert("daily", 0.8);
  expect(JSON.parse(lines[0] ?? "{}")).toMatchObject({
    BudgetAlerts: 1,
    _aws: { CloudWatchMetrics: [{ Dimensions: [[]] }] },
  });
});
