// Calls as CloudWatch metrics: one line of Embedded Metric Format a call, which the log agent counts. Dimensions have few values: no model, no tenant.
import type { CallRecord } from "./call-record.ts";
import type { Metrics } from "./metrics.ts";

export type EmfOptions = {
  /** Takes a line without its end, and writes it at once. */
  write: (line: string) => void;
  now: () => number;
  /** Where the metrics are found: each deployment has its own, or their numbers are one. Default `Heddle`. */
  namespace?: string | undefined;
};

type Unit = "Count" | "Milliseconds" | "None";

/** By each, and over all of them: an alarm can't add up what is counted apart. */
const dimensionSets = [["Wire", "Provider", "Operation"], []] as const;

/** A dimension without a value would drop the whole line. */
const named = (text: string): string => (text === "" ? "none" : text.slice(0, 250));

export const createEmf = ({
  write,
  now,
  namespace = "Heddle",
}: EmfOptions): Pick<Metrics, "record" | "budgetAlert"> => {
  const line = (
    dimensions: Record<string, string>,
    sets: readonly (readonly string[])[],
    values: Readonly<Record<string, readonly [number | undefined, Unit]>>,
  ): void => {
    const told = Object.entries(values).filter(([, [value]]) => value !== undefined);
    write(
      JSON.stringify({
        _aws: {
          Timestamp: now(),
          CloudWatchMetrics: [
            {
              Namespace: namespace,
              Dimensions: sets,
              Metrics: told.map(([Name, [, unit]]) => (unit === "None" ? { Name } : { Name, Unit: unit })),
            },
          ],
        },
        ...dimensions,
        ...Object.fromEntries(told.map(([name, [value]]) => [name, value])),
      }),
    );
  };

  /** The provider's and the gateway's failures, in the middle of a stream too; neither the caller's own mistakes nor their leaving. */
  const isError = ({ status, errorCode, disconnected }: CallRecord): boolean =>
    !disconnected && (status >= 500 || (errorCode !== undefined && status < 400));

  return {
    record: (record) =>
      line(
        { Wire: named(record.wire), Provider: named(record.provider), Operation: named(record.operation) },
        dimensionSets,
        {
          Requests: [1, "Count"],
          Errors: [isError(record) ? 1 : 0, "Count"],
          RateLimited: [record.status === 429 ? 1 : 0, "Count"],
          InputTokens: [record.usage?.input, "Count"],
          OutputTokens: [record.usage?.output, "Count"],
          CachedInputTokens: [record.usage?.cachedInput, "Count"],
          /** Dollars. */
          Cost: [record.cost, "None"],
          TimeToFirstToken: [record.ttftMs, "Milliseconds"],
          Duration: [record.totalMs, "Milliseconds"],
        },
      ),
    budgetAlert: () => line({}, [[]], { BudgetAlerts: [1, "Count"] }),
  };
};
