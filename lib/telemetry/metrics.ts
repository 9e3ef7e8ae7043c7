// Prometheus text (format 0.0.4): counters and histograms of calls, kept in memory, rendered on demand.
import type { CallRecord } from "./call-record.ts";

export type Metrics = { record: (record: CallRecord) => void; render: () => string };

const buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
/** Series of one name; further ones are gathered under `other`, so that callers can't grow memory by naming models. */
const maxSeries = 500;

type Histogram = { counts: number[]; sum: number; count: number };
type Family<T> = { name: string; help: string; type: "counter" | "histogram"; series: Map<string, T> };

const family = <T>(name: string, help: string, type: "counter" | "histogram"): Family<T> => ({ name, help, type, series: new Map() });
const escape = (value: string): string => value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
const labelText = (labels: Record<string, string>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escape(value)}"`)
    .join(",");

const seriesOf = <T>(of: Family<T>, labels: Record<string, string>, make: () => T): { key: string; value: T } => {
  let key = labelText(labels);
  let value = of.series.get(key);
  if (value === undefined && of.series.size >= maxSeries) {
    key = labelText({ ...labels, model: "other" });
    value = of.series.get(key);
  }
  if (value === undefined) of.series.set(key, (value = make()));
  return { key, value };
};

const add = (of: Family<number>, labels: Record<string, string>, amount: number): void => {
  const { key, value } = seriesOf(of, labels, () => 0);
  of.series.set(key, value + amount);
};

const observe = (of: Family<Histogram>, labels: Record<string, string>, seconds: number): void => {
  const { value } = seriesOf(of, labels, () => ({ counts: buckets.map(() => 0), sum: 0, count: 0 }));
  value.sum += seconds;
  value.count += 1;
  const at = buckets.findIndex((bound) => seconds <= bound);
  if (at >= 0) value.counts[at] = (value.counts[at] ?? 0) + 1;
};

export const createMetrics = (): Metrics => {
  const requests = family<number>("heddle_requests_total", "Calls by provider, model, wire, operation and status.", "counter");
  const errors = family<number>("heddle_errors_total", "Calls that failed, by error code.", "counter");
  const tokens = family<number>("heddle_tokens_total", "Tokens by kind; cached, cache_write and reasoning are parts of input and output.", "counter");
  const cost = family<number>("heddle_cost_dollars_total", "Cost of calls whose price is known, in US dollars.", "counter");
  const unpriced = family<number>("heddle_unpriced_requests_total", "Calls whose model has no known price.", "counter");
  const attempts = family<number>("heddle_upstream_attempts_total", "Tries at upstreams, retries and fallbacks among them.", "counter");
  const disconnects = family<number>("heddle_client_disconnects_total", "Calls whose caller left before the end.", "counter");
  const duration = family<Histogram>("heddle_request_duration_seconds", "Whole duration of calls.", "histogram");
  const first = family<Histogram>("heddle_time_to_first_token_seconds", "Time to the first byte of the answer.", "histogram");

  return {
    record: (record) => {
      const labels = { provider: record.provider, model: record.provider === "" ? "" : record.model, wire: record.wire };
      add(requests, { ...labels, operation: record.operation, status: String(record.status) }, 1);
      if (record.errorCode !== undefined && !record.disconnected) add(errors, { ...labels, code: record.errorCode }, 1);
      if (record.disconnected) add(disconnects, labels, 1);
      if (record.attempts > 0) add(attempts, labels, record.attempts);
      observe(duration, labels, record.totalMs / 1_000);
      if (record.ttftMs !== undefined) observe(first, labels, record.ttftMs / 1_000);
      const { usage } = record;
      if (usage === undefined) return;
      const kinds = { input: usage.input, cached: usage.cachedInput, cache_write: usage.cacheWrite, output: usage.output, reasoning: usage.reasoning };
      for (const [kind, amount] of Object.entries(kinds)) if (amount !== undefined && amount > 0) add(tokens, { ...labels, kind }, amount);
      if (record.cost !== undefined) add(cost, labels, record.cost);
      else if (record.priced === false) add(unpriced, labels, 1);
    },
    render: () => {
      const lines: string[] = [];
      for (const counter of [requests, errors, tokens, cost, unpriced, attempts, disconnects]) {
        lines.push(`# HELP ${counter.name} ${counter.help}`, `# TYPE ${counter.name} counter`);
        for (const [labels, value] of counter.series) lines.push(`${counter.name}{${labels}} ${value}`);
      }
      for (const histogram of [duration, first]) {
        lines.push(`# HELP ${histogram.name} ${histogram.help}`, `# TYPE ${histogram.name} histogram`);
        for (const [labels, { counts, sum, count }] of histogram.series) {
          let below = 0;
          buckets.forEach((bound, at) => {
            below += counts[at] ?? 0;
            lines.push(`${histogram.name}_bucket{${labels},le="${bound}"} ${below}`);
          });
          lines.push(`${histogram.name}_bucket{${labels},le="+Inf"} ${count}`, `${histogram.name}_sum{${labels}} ${sum}`, `${histogram.name}_count{${labels}} ${count}`);
        }
      }
      return `${lines.join("\n")}\n`;
    },
  };
};
