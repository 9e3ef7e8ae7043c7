// Calls as CloudWatch metrics: one line of Embedded Metric Format a call, which the log agent counts.
import { budgetAlertMeasure, measuresOf, type Measures } from "./measures.ts";
import type { Metrics } from "./metrics.ts";

export type EmfOptions = {
  /** Takes a line without its end, and writes it at once. */
  write: (line: string) => void;
  now: () => number;
  /** Where the metrics are found: each deployment has its own, or their numbers are one. Default `Heddle`. */
  namespace?: string | undefined;
};

/** By each, and over all of them: an alarm can't add up what is counted apart. */
const dimensionSets = [["Wire", "Provider", "Operation"], []] as const;

export const createEmf = ({
  write,
  now,
  namespace = "Heddle",
}: EmfOptions): Pick<Metrics, "record" | "budgetAlert"> => {
  const line = (
    dimensions: Readonly<Record<string, string>>,
    sets: readonly (readonly string[])[],
    values: Measures["values"],
  ): void =>
    write(
      JSON.stringify({
        _aws: {
          Timestamp: now(),
          CloudWatchMetrics: [
            {
              Namespace: namespace,
              Dimensions: sets,
              Metrics: values.map(([Name, , unit]) => (unit === "None" ? { Name } : { Name, Unit: unit })),
            },
          ],
        },
        ...dimensions,
        ...Object.fromEntries(values.map(([name, value]) => [name, value])),
      }),
    );

  return {
    record: (record) => {
      const { dimensions, values } = measuresOf(record);
      line(dimensions, dimensionSets, values);
    },
    budgetAlert: () => line({}, [[]], [budgetAlertMeasure]),
  };
};
