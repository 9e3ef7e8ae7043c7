// Names in a query of Log Analytics: tables, their columns, members of metrics lines, and names of the query's own.

const common = ["TimeGenerated", "Type", "_ResourceId"];
const application = [...common, "AppRoleInstance", "AppRoleName", "ItemCount", "OperationName", "Properties"];

/** The tables that are asked, with the columns that are used here (learn.microsoft.com/azure/azure-monitor/reference/tables). */
const tables: Readonly<Record<string, readonly string[]>> = {
  AppTraces: [...application, "Message", "SeverityLevel"],
  AppRequests: [...application, "Name", "ResultCode", "Success", "DurationMs", "Url"],
  AppExceptions: [...application, "ExceptionType", "OuterMessage", "ProblemId"],
  AzureMetrics: [...common, "MetricName", "ResourceProvider", "Total", "Count", "Average", "Maximum", "Minimum"],
};

const words = new Set(
  (
    "union where extend summarize project by and or in has startswith between bin sum count max dcount percentile " +
    "parse_json tostring toint tolong todouble isnotnull extract strcat m"
  ).split(" "),
);

export type Names = {
  tables: string[];
  /** Of `m`, the line of metrics. */
  members: string[];
  /** Neither a column, nor a word of the language, nor made in the query. */
  unknown: string[];
};

export const namesIn = (query: string): Names => {
  const bare = query.replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '""');
  const members = [...bare.matchAll(/\bm\.(\w+)/g)].map((match) => match[1] ?? "");
  const rest = bare
    .replaceAll(/\bm\.\w+/g, "m")
    .replaceAll(/\bProperties\.\w+/g, "Properties")
    .replaceAll(/\b\d+\w*/g, "0");
  const all = [...rest.matchAll(/[A-Za-z_]\w*/g)].map((match) => match[0]);
  const made = new Set([...rest.matchAll(/\b([A-Za-z_]\w*) = /g)].map((match) => match[1]));
  const used = [...new Set(all.filter((name) => name in tables))];
  const columns = new Set(used.flatMap((table) => tables[table] ?? []));
  return {
    tables: used,
    members: [...new Set(members)],
    unknown: [...new Set(all)].filter(
      (name) => !words.has(name) && !made.has(name) && !columns.has(name) && !used.includes(name),
    ),
  };
};
