// One JSON line a call, and a few about the process. What is logged is named here field by field: nothing slips in.
import type { CallRecord } from "./call-record.ts";

const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
type LogLevel = (typeof logLevels)[number];

export type Log = {
  call: (record: CallRecord) => void;
  warn: (message: string, fields?: Record<string, string | number | boolean>) => void;
  /** `cause` is told by its class and code alone: a message may hold anything. */
  error: (message: string, fields: { requestId?: string; cause?: unknown }) => void;
};

/** `write` takes a line without its end. */
export type LogOptions = { level: LogLevel; write: (line: string) => void; now?: () => number };

/** Where it was thrown helps; what it says may quote a prompt, over several lines, so that only what stands after it is read. */
const placeOf = ({ stack = "", message }: Error): string => {
  const said = stack.indexOf(message);
  if (said === -1) return "";
  const place = /\n\s+at ([^\n]+)/.exec(stack.slice(said + message.length))?.[1];
  return place === undefined ? "" : ` at ${place}`;
};

const describeCause = (cause: unknown): string => {
  if (!(cause instanceof Error)) return typeof cause;
  const code = "code" in cause && typeof cause.code === "string" ? ` ${cause.code}` : "";
  return `${cause.name}${code}${placeOf(cause)}`;
};

/** Names that callers give have no length of their own. */
const cut = (text: string): string => (text.length > 200 ? text.slice(0, 200) : text);

export const createLog = ({ level, write, now = Date.now }: LogOptions): Log => {
  const threshold = logLevels.indexOf(level);
  const allowed = (wanted: LogLevel): boolean => logLevels.indexOf(wanted) >= threshold;
  let second = Number.NaN;
  let secondText = "";
  /** ISO 8601 in UTC. Under load many lines share a second, whose text is made once. */
  const timeOf = (ms: number): string => {
    const within = ms % 1_000;
    if (ms - within !== second) {
      second = ms - within;
      secondText = new Date(second).toISOString().slice(0, 20);
    }
    return `${secondText}${String(within).padStart(3, "0")}Z`;
  };
  const line = (kind: LogLevel, fields: object): void => {
    write(JSON.stringify({ time: timeOf(now()), level: kind, ...fields }));
  };
  return {
    call: (record) => {
      const kind: LogLevel =
        record.status >= 500 ? "error" : record.errorCode !== undefined && !record.disconnected ? "warn" : "info";
      if (!allowed(kind)) return;
      const { usage } = record;
      // One object, not two put together: this runs once a call.
      const fields = {
        time: timeOf(now()),
        level: kind,
        message: "call",
        requestId: record.requestId,
        traceId: record.traceId,
        operation: record.operation,
        wire: record.wire,
        provider: record.provider,
        model: cut(record.model),
        requestedModel: cut(record.requestedModel),
        stream: record.stream,
        status: record.status,
        error: record.errorCode,
        inputTokens: usage?.input,
        cachedInputTokens: usage?.cachedInput,
        cacheWriteTokens: usage?.cacheWrite,
        outputTokens: usage?.output,
        reasoningTokens: usage?.reasoning,
        estimated: record.estimated,
        cost: record.cost,
        priced: record.priced,
        ttftMs: record.ttftMs,
        totalMs: record.totalMs,
        attempts: record.attempts,
        disconnected: record.disconnected ? true : undefined,
        key: record.keyName,
        // Most deployments have one tenant, which goes without saying.
        tenant: record.tenant === "default" ? undefined : record.tenant,
        dropped: record.dropped,
      };
      write(JSON.stringify(fields));
    },
    warn: (message, fields) => {
      if (allowed("warn")) line("warn", { message, ...fields });
    },
    error: (message, { requestId, cause }) => {
      if (allowed("error"))
        line("error", { message, requestId, cause: cause === undefined ? undefined : describeCause(cause) });
    },
  };
};
