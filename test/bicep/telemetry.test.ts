// Alerts and the workbook ask for what is there: tables, columns, the names of the metrics lines, functions that are registered.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createMetricLines } from "../../lib/telemetry/metric-lines.ts";
import { cases, environments } from "./environments.ts";
import { textOf } from "./evaluate.ts";
import { namesIn } from "./kql.ts";
import { at, list, ofType, oneOf, properties, types } from "./resources.ts";
import { root } from "./walk.ts";

const folder = `${root}lib/telemetry/`;
const telemetry = readdirSync(folder)
  .filter((name) => /^(?:emf|measures|metric-lines)\.ts$/.test(name))
  .map((name) => readFileSync(folder + name, "utf8"))
  .join("\n");
const isWritten = (name: string): boolean => new RegExp(`\\b${name}\\b["']?[:,]`).test(telemetry);

type Alert = { name: string; query: string; criterion: Record<string, unknown>; all: Record<string, unknown> };
const alertsOf = (name: string): Alert[] =>
  ofType(name, types.queryAlert).map((alert) => {
    const [criterion = {}] = list(at(alert.body, "properties", "criteria", "allOf"));
    return {
      name: alert.name.replace(/^heddle-[a-z]+-/, ""),
      query: textOf(at(criterion, "query")),
      criterion: criterion as Record<string, unknown>,
      all: properties(alert),
    };
  });

type Item = {
  type: number;
  name: string;
  content: { title?: string; query?: string; crossComponentResources?: string[] };
};
const workbook = JSON.parse(textOf(properties(oneOf("prod", types.workbook))["serializedData"])) as {
  version: string;
  items: Item[];
};
const panels = workbook.items.filter(({ type }) => type === 3);

const queries = [
  ...alertsOf("prod").map(({ name, query }) => [name, query] as const),
  ...panels.map(({ name, content }) => [`panel ${name}`, content.query ?? ""] as const),
];

describe.each(queries)("%s", (_name, query) => {
  const { tables, members, unknown } = namesIn(query);

  test("asks tables and columns that are there", () => {
    expect(tables.length).toBeGreaterThan(0);
    expect(unknown).toEqual([]);
  });

  test("reads what lib/telemetry writes", () => {
    for (const member of members) expect(isWritten(member), member).toBe(true);
    if (members.length > 0) expect(query).toContain(`Message startswith '{"heddle.metrics"'`);
  });

  test("names functions that are registered", () => {
    const named = [...query.matchAll(/Functions?\.([a-z]+)/g)].map((match) => match[1] ?? "");
    for (const name of named) expect(["gateway", "worker", "sweeper"]).toContain(name);
    const index = `${root}functions/azure/index.ts`;
    if (existsSync(index)) for (const name of named) expect(readFileSync(index, "utf8")).toContain(`("${name}"`);
  });

  test("closes what it opens", () => {
    const bare = query.replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, "");
    expect(bare.match(/\(/g)?.length ?? 0).toBe(bare.match(/\)/g)?.length ?? 0);
    expect(bare).not.toMatch(/\$\{|WINDOW|FUNCTION\b/);
  });
});

test("a query with a wrong name is seen", () => {
  expect(namesIn("AppTraces | where Mesage == 1 | summarize x = sum(m.Cosst) by bin(TimeGenerated, 5m)")).toEqual({
    tables: ["AppTraces"],
    members: ["Cosst"],
    unknown: ["Mesage"],
  });
  expect(isWritten("Cosst")).toBe(false);
});

test("a line of metrics begins as the queries look for it", () => {
  const lines = `${folder}metric-lines.ts`;
  if (existsSync(lines)) expect(readFileSync(lines, "utf8")).toContain('"heddle.metrics": 1');
});

test("what is asked of the queue is what the sweeper writes of it", () => {
  const lines: string[] = [];
  createMetricLines((line) => lines.push(line)).jobs({ waiting: 3, oldestSeconds: 60, dead: 1 });
  expect(lines).toEqual(['{"heddle.metrics":1,"JobsWaiting":3,"JobAge":60,"DeadJobs":1}']);
  const asked = (name: string): string[] =>
    queries.filter(([each]) => each === name).flatMap(([, query]) => namesIn(query).members);
  expect(asked("dead-letters")).toEqual(["DeadJobs"]);
  expect(asked("queue-age")).toEqual(["JobAge"]);
  expect(asked("panel queue")).toEqual(["JobsWaiting", "JobAge", "DeadJobs"]);
});

test("a queue that can't be looked at is told, in the words of the log", () => {
  const words = "the queue could not be looked at";
  expect(readFileSync(`${root}functions/azure/runtime.ts`, "utf8")).toContain(`log.error("${words}"`);
  const query = alertsOf("prod").find(({ name }) => name === "sweeper-errors")?.query ?? "";
  expect(query.trim().split("\n").at(-1)?.trim()).toBe(`or Message has "${words}"`);
  expect(query.match(/\| where/g)).toHaveLength(1);
});

describe("alerts", () => {
  const alerts = alertsOf("prod");

  test.each([
    ["failed invocations", "gateway-errors"],
    ["5xx", "gateway-server-errors"],
    ["throttles", "gateway-throttles"],
    ["p99 of the first token", "gateway-slow"],
    ["p99 of the duration", "gateway-long"],
    ["jobs that fail", "worker-errors"],
    ["a sweeper that fails", "sweeper-errors"],
    ["a sweeper that does not run", "sweeper-silent"],
    ["dead letters", "dead-letters"],
    ["the queue's age", "queue-age"],
    ["spend", "spend"],
    ["a budget", "budget"],
  ])("tell of %s", (_what, name) => {
    expect(alerts.map((alert) => alert.name)).toContain(name);
  });

  test("and of a hot partition, and of API Management's 5xx where there is one", () => {
    const metrics = (name: string): string[] =>
      ofType(name, types.metricAlert).flatMap((alert) =>
        list(at(alert.body, "properties", "criteria", "allOf")).map(
          (each) =>
            `${textOf(at(each, "metricName"))} ${textOf(at(list(at(each, "dimensions"))[0] ?? null, "values"))}`,
        ),
      );
    expect(metrics("prod")).toEqual(['TotalRequests ["429"]']);
    expect(metrics("everything")).toContain('Requests ["5xx"]');
  });

  test.each(cases)("go to the action group, say what is wrong, and can be evaluated, %s", (name) => {
    for (const { name: of, query, criterion, all } of alertsOf(name)) {
      expect(at(all as never, "actions", "actionGroups"), of).toEqual([expect.stringContaining("/actionGroups/")]);
      expect(String(all["description"]).length, of).toBeGreaterThan(15);
      const minutes = (text: unknown): number => {
        const [, hours, rest] = /^PT(?:(\d+)H)?(?:(\d+)M)?$/.exec(String(text)) ?? [];
        return Number(hours ?? 0) * 60 + Number(rest ?? 0);
      };
      // Azure: windows are no shorter than what lies between two looks.
      expect(minutes(all["windowSize"]), of).toBeGreaterThanOrEqual(minutes(all["evaluationFrequency"]));
      const { numberOfEvaluationPeriods: periods, minFailingPeriodsToAlert: failing } = criterion[
        "failingPeriods"
      ] as Record<string, number>;
      expect(failing, of).toBeLessThanOrEqual(periods ?? 0);
      const measure = criterion["metricMeasureColumn"];
      if (criterion["timeAggregation"] === "Count") expect(measure, of).toBeNull();
      else expect(query, of).toMatch(new RegExp(`\\b${String(measure)}\\b`));
      // Several windows need a time in each row.
      if (query.includes("summarize"))
        expect(query, of).toContain(`bin(TimeGenerated, ${minutes(all["windowSize"])}m)`);
    }
  });

  test("take their thresholds from the parameters", () => {
    const thresholds = Object.fromEntries(alerts.map(({ name, criterion }) => [name, criterion["threshold"]]));
    expect(thresholds).toMatchObject({
      "gateway-server-errors": 5,
      "gateway-slow": 10_000,
      "gateway-long": 220 * 900,
      spend: 20,
      "gateway-throttles": 180,
      "queue-age": 900,
      "dead-letters": 0,
    });
    expect(
      Object.fromEntries(alertsOf("dev").map(({ name, criterion }) => [name, criterion["threshold"]]))["spend"],
    ).toBe(5);
  });

  test("a mail goes to whom it should", () => {
    expect(environments["everything"]?.["alarmEmail"]).toBe("alarms@example.com");
    const group = oneOf("everything", "Microsoft.Insights/actionGroups");
    expect(at(group.body, "properties", "emailReceivers")).toMatchObject([{ emailAddress: "alarms@example.com" }]);
  });
});

test("the workbook has the panels of the dashboard on AWS, each with the workspace it asks", () => {
  const template = readFileSync(`${root}template.yaml`, "utf8");
  const titles = [...template.matchAll(/"title": "([^"]+)"/g)].map((match) => match[1] ?? "");
  expect(titles).toHaveLength(9);
  const ours = panels.map(({ content }) => content.title ?? "");
  for (const title of titles)
    expect(
      ours.some((own) => own.startsWith(title.split(",")[0] ?? "?")),
      title,
    ).toBe(true);
  for (const { content } of panels)
    expect(content.crossComponentResources).toEqual([expect.stringContaining("/workspaces/log-heddle-prod")]);
  expect(workbook.version).toBe("Notebook/1.0");
});
