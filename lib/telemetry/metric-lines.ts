// Calls, and the jobs that wait, as lines of the log that queries count, where the log is all that leaves the process: Application Insights, by the Functions host.
import { budgetAlertMeasure, type JobCounts, jobMeasures, measuresOf, type Measures } from "./measures.ts";
import type { Metrics } from "./metrics.ts";

/** How each line begins: queries look for it (`Message startswith`). */
const mark = { "heddle.metrics": 1 };

export type MetricLines = Pick<Metrics, "record" | "budgetAlert"> & {
  jobs: (counts: JobCounts) => void;
};

/** `write` takes a line without its end, and writes it at once. */
export const createMetricLines = (write: (line: string) => void): MetricLines => {
  const line = (dimensions: Readonly<Record<string, string>>, values: Measures["values"]): void =>
    write(
      JSON.stringify({ ...mark, ...dimensions, ...Object.fromEntries(values.map(([name, value]) => [name, value])) }),
    );
  return {
    record: (record) => {
      const { dimensions, values } = measuresOf(record);
      line(dimensions, values);
    },
    budgetAlert: () => line({}, [budgetAlertMeasure]),
    jobs: (counts) => line({}, jobMeasures(counts)),
  };
};
