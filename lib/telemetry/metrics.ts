// Prometheus text (format 0.0.4): counters and histograms of calls, kept in memory, rendered on demand.
import type { CallRecord } from "./call-record.ts";

export type Metrics = {
  record: (record: CallRecord) => void;
  /** A stream has begun; call what it gives when the stream is over, however it ended. */
  streamStarted: (wire: string) => () => void;
  /** A budget has come to a share of its amount. */
  budgetAlert: (rule: string, share: number) => void;
  render: () => string;
};

export type MetricsOptions = {
  /** Models that always have series of their own: those of the configuration. */
  models?: readonly string[];
};

const buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
/** Names of models come from callers: one that never answered, and any beyond this many, counts as `other`. */
const maxModels = 200;

const tokenKinds = ["input", "cached_input", "cache_write", "output", "reasoning"] as const;

type Histogram = { counts: number[]; sum: number; count: number };

/** All that is counted for one provider, model and wire: one look-up a call, plain additions after it. */
type Series = {
  labels: string;
  /** By their further labels. */
  requests: Map<string, number>;
  errors: Map<string, number>;
  /** In the order of `tokenKinds`. */
  tokens: number[];
  cost: number;
  unpriced: number;
  attempts: number;
  disconnects: number;
  duration: Histogram;
  first: Histogram;
};

const histogram = (): Histogram => ({ counts: buckets.map(() => 0), sum: 0, count: 0 });

const escape = (value: string): string =>
  value
    .replaceAll("\\", String.raw`\\`)
    .replaceAll("\n", String.raw`\n`)
    .replaceAll('"', String.raw`\"`);

const createSeries = (provider: string, model: string, wire: string): Series => ({
  labels: `provider="${escape(provider)}",model="${escape(model)}",wire="${escape(wire)}"`,
  requests: new Map(),
  errors: new Map(),
  tokens: tokenKinds.map(() => 0),
  cost: 0,
  unpriced: 0,
  attempts: 0,
  disconnects: 0,
  duration: histogram(),
  first: histogram(),
});

const increment = (counts: Map<string, number>, key: string, amount = 1): void => {
  counts.set(key, (counts.get(key) ?? 0) + amount);
};

const observe = (into: Histogram, milliseconds: number): void => {
  const seconds = milliseconds / 1_000;
  into.sum += seconds;
  into.count += 1;
  const at = buckets.findIndex((bound) => seconds <= bound);
  if (at !== -1) into.counts[at] = (into.counts[at] ?? 0) + 1;
};

const addTokens = ({ tokens }: Series, usage: NonNullable<CallRecord["usage"]>): void => {
  const counts = [usage.input, usage.cachedInput, usage.cacheWrite, usage.output, usage.reasoning];
  counts.forEach((count, at) => {
    if (count !== undefined) tokens[at] = (tokens[at] ?? 0) + count;
  });
};

type Line = { labels: string; value: number };
type Counter = { name: string; help: string; lines: (series: Series) => Line[] };

const single =
  (of: (series: Series) => number) =>
  (series: Series): Line[] =>
    of(series) === 0 ? [] : [{ labels: series.labels, value: of(series) }];

/** What calls are counted under is made into labels here, not once a call. */
const labelled =
  (of: (series: Series) => Map<string, number>, labelsOf: (key: string) => string) =>
  (series: Series): Line[] =>
    [...of(series)].map(([key, value]) => ({ labels: `${series.labels},${labelsOf(key)}`, value }));

const requestLabels = (key: string): string => {
  const space = key.lastIndexOf(" ");
  return `operation="${escape(key.slice(0, space))}",status="${key.slice(space + 1)}"`;
};

const counters: readonly Counter[] = [
  {
    name: "heddle_requests_total",
    help: "Calls by provider, model, wire, operation and class of status.",
    lines: labelled((series) => series.requests, requestLabels),
  },
  {
    name: "heddle_errors_total",
    help: "Calls that failed, by error code; those whose caller left are not among them.",
    lines: labelled(
      (series) => series.errors,
      (code) => `code="${escape(code)}"`,
    ),
  },
  {
    name: "heddle_tokens_total",
    help: "Tokens by kind; cached_input and cache_write are parts of input, reasoning is part of output.",
    lines: (series) =>
      tokenKinds.flatMap((kind, at) => {
        const value = series.tokens[at] ?? 0;
        return value === 0 ? [] : [{ labels: `${series.labels},kind="${kind}"`, value }];
      }),
  },
  {
    name: "heddle_cost_dollars_total",
    help: "Cost of the calls whose price is known, in US dollars.",
    lines: single((series) => series.cost),
  },
  {
    name: "heddle_unpriced_requests_total",
    help: "Calls with usage whose price is not known.",
    lines: single((series) => series.unpriced),
  },
  {
    name: "heddle_upstream_attempts_total",
    help: "Tries at providers, retries and fallbacks among them.",
    lines: single((series) => series.attempts),
  },
  {
    name: "heddle_client_disconnects_total",
    help: "Calls whose caller left before the end.",
    lines: single((series) => series.disconnects),
  },
];

const histograms = [
  {
    name: "heddle_request_duration_seconds",
    help: "Whole duration of calls.",
    of: (series: Series) => series.duration,
  },
  {
    name: "heddle_time_to_first_token_seconds",
    help: "Time to the first byte of the answer.",
    of: (series: Series) => series.first,
  },
] as const;

const head = (name: string, help: string, type: string): string => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;

const renderHistogram = (name: string, labels: string, { counts, sum, count }: Histogram): string => {
  let below = 0;
  let text = "";
  buckets.forEach((bound, at) => {
    below += counts[at] ?? 0;
    text += `${name}_bucket{${labels},le="${bound}"} ${below}\n`;
  });
  return `${text}${name}_bucket{${labels},le="+Inf"} ${count}\n${name}_sum{${labels}} ${sum}\n${name}_count{${labels}} ${count}\n`;
};

export const createMetrics = (options: MetricsOptions = {}): Metrics => {
  const all = new Map<string, Series>();
  const models = new Set(options.models);
  const streams = new Map<string, number>();
  const alerts = new Map<string, number>();

  const modelLabel = ({ provider, model, status }: CallRecord): string => {
    if (provider === "" || models.has(model)) return provider === "" ? "" : model;
    if (status >= 400 || models.size >= maxModels || model.length > 200) return "other";
    models.add(model);
    return model;
  };

  const seriesOf = (record: CallRecord): Series => {
    const { provider, wire } = record;
    const model = modelLabel(record);
    const key = `${wire} ${provider} ${model}`;
    let series = all.get(key);
    if (series === undefined) all.set(key, (series = createSeries(provider, model, wire)));
    return series;
  };

  return {
    record: (record) => {
      const series = seriesOf(record);
      increment(series.requests, `${record.operation} ${Math.floor(record.status / 100)}xx`);
      if (record.disconnected) series.disconnects += 1;
      else if (record.errorCode !== undefined) increment(series.errors, record.errorCode);
      series.attempts += record.attempts;
      observe(series.duration, record.totalMs);
      if (record.ttftMs !== undefined) observe(series.first, record.ttftMs);
      if (record.usage !== undefined) addTokens(series, record.usage);
      if (record.cost !== undefined) series.cost += record.cost;
      else if (record.priced === false) series.unpriced += 1;
    },
    streamStarted: (wire) => {
      increment(streams, wire);
      let over = false;
      return () => {
        if (over) return;
        over = true;
        increment(streams, wire, -1);
      };
    },
    budgetAlert: (rule, share) => increment(alerts, `rule="${escape(rule)}",share="${share}"`),
    render: () => {
      let text = "";
      for (const { name, help, lines } of counters) {
        text += head(name, help, "counter");
        for (const series of all.values())
          for (const { labels, value } of lines(series)) text += `${name}{${labels}} ${value}\n`;
      }
      for (const { name, help, of } of histograms) {
        text += head(name, help, "histogram");
        for (const series of all.values())
          if (of(series).count > 0) text += renderHistogram(name, series.labels, of(series));
      }
      if (streams.size > 0) text += head("heddle_active_streams", "Streams that are being answered now.", "gauge");
      for (const [wire, count] of streams) text += `heddle_active_streams{wire="${escape(wire)}"} ${count}\n`;
      if (alerts.size > 0)
        text += head("heddle_budget_alerts_total", "Budgets that came to a share of their amount.", "counter");
      for (const [labels, count] of alerts) text += `heddle_budget_alerts_total{${labels}} ${count}\n`;
      return text;
    },
  };
};
