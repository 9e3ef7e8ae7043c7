// docs/deploy-azure.md says what infra/azure says: parameters, defaults, outputs, roles, settings, and sums that come out.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { cases, deployed, environments } from "./environments.ts";
import { main, readBicep, root } from "./walk.ts";

const page = readFileSync(`${root}docs/deploy-azure.md`, "utf8");
const { parameters, outputs } = readBicep(main);
const rows = page.split("\n").filter((line) => line.startsWith("|"));

test.each(parameters)("the parameter $name is explained, with its default", ({ name, default: value }) => {
  const row = rows.find((line) => line.split("|")[1]?.includes(`\`${name}\``) === true);
  expect(row, name).toBeDefined();
  if (value?.kind === "literal" && value.value !== "") expect(row, name).toContain(`${value.value}`);
});

test("no other parameter is explained", () => {
  const table = page.slice(page.indexOf("## Parameters"), page.indexOf("## Names and records"));
  const named = table
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map((match) => match[1] ?? ""));
  expect(new Set(named)).toEqual(new Set(parameters.map(({ name }) => name)));
});

test("every output that is asked for, and every name in capitals, is one that there is", () => {
  const known = new Set(outputs.map(({ name }) => name));
  const asked = [...page.matchAll(/\$\(out (\w+)\)/g)].map((match) => match[1] ?? "");
  expect(asked.length).toBeGreaterThan(5);
  for (const name of asked) expect([...known]).toContain(name);
  const bicepparam = readFileSync(`${root}infra/azure/main.bicepparam`, "utf8");
  const files = [
    "infra/azure/pepper.sh",
    ".github/actions/deploy-azure/action.yml",
    ".github/workflows/deploy-azure.yml",
  ];
  const read = [bicepparam, ...files.map((path) => readFileSync(root + path, "utf8"))].join("\n");
  const local = readFileSync(`${root}local.settings.example.json`, "utf8");
  const tests = readFileSync(`${root}test/bicep/types.test.ts`, "utf8");
  // An example, and a setting of the host's.
  const foreign = new Set(["MY_HOST_API_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT"]);
  const named = [...page.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map((match) => match[1] ?? "");
  for (const name of named)
    expect(known.has(name) || [read, local, tests].some((text) => text.includes(name)) || foreign.has(name), name).toBe(
      true,
    );
});

test("every variable that main.bicepparam reads is explained", () => {
  const source = readFileSync(`${root}infra/azure/main.bicepparam`, "utf8");
  for (const [, name = ""] of source.matchAll(/readEnvironmentVariable\('(\w+)'/g)) expect(page).toContain(name);
});

test("files and pages that are named are there", () => {
  for (const [, link = ""] of page.matchAll(/\]\((?!https?:|#)([^)#]+)/g))
    expect(existsSync(join(root, "docs", link)) || link.startsWith("decisions/"), link).toBe(true);
  for (const [, path = ""] of page.matchAll(/`((?:infra|\.github|test)\/[\w./-]+)`/g))
    expect(existsSync(join(root, path)) || existsSync(join(root, dirname(path))), path).toBe(true);
  for (const [, anchor = ""] of page.matchAll(/\]\(#([\w-]+)\)/g)) {
    const headings = [...page.matchAll(/^## (.+)$/gm)].map((match) =>
      match[1]
        ?.toLowerCase()
        .replaceAll(/[^\w\s-]/g, "")
        .replaceAll(" ", "-"),
    );
    expect(headings).toContain(anchor);
  }
});

test("counts are what they are", () => {
  const sets = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
  expect(page).toContain(`for ${sets[Object.keys(environments).length]} sets of parameters`);
  const types = new Set(cases.flatMap((name) => deployed(name).resources.map(({ type }) => type.toLowerCase())));
  expect(page).toContain(`all ${types.size} resource types`);
  const alerts = deployed("prod").resources.filter(({ type }) => type === "Microsoft.Insights/scheduledQueryRules");
  expect(page).toContain(`${sets[alerts.length]} alerts over logs`);
});

describe("the cost of a million calls, computed", () => {
  const figures = new Map(
    rows.flatMap((line) => {
      const cells = line.split("|").map((cell) => cell.replaceAll("*", "").trim());
      const numbers = cells.slice(2, 5).map(Number);
      return cells.length === 6 && numbers.every(Number.isFinite) ? [[cells[1] ?? "", numbers] as const] : [];
    }),
  );
  const million = 1_000_000;
  const table = (units: number): number => units * 0.25;
  const cents = (dollars: number): number => Math.round((dollars + Number.EPSILON) * 100) / 100;
  const beside = 0.4 + 125 * 0.087 + 8 * 2.3 + table(6 * 5 + 2);
  const thread = table(91 + 2 * 22.4);

  test.each([
    [2, 0],
    [10, 1],
    [30, 2],
  ])("at %s seconds a call", (seconds, column) => {
    const waiting = (million * seconds * 2 * 0.000_026) / 10;
    const figure = (name: string): number | undefined =>
      [...figures].find(([key]) => key.startsWith(name))?.[1][column];
    expect(figure("Flex Consumption, waiting")).toBe(cents(waiting));
    expect(figure("egress")).toBe(cents(125 * 0.087));
    expect(figure("logs")).toBe(cents(8 * 2.3));
    expect(figure("table: key")).toBe(cents(table(32)));
    expect(figure("table: a turn")).toBe(cents(thread));
    expect(figure("stateless")).toBe(cents(waiting + beside));
    expect(figure("on a thread")).toBe(cents(waiting + beside + thread));
  });

  test("stands on the prices of its formula, and says where they are from", () => {
    expect(page).toContain("(T × M × 0.000026 / C + 0.40 / 10⁶)");
    expect(page).toContain("(W × 5 + R × 2) × 0.25 / 10⁶");
    expect(page).toContain("not taken from a bill");
    expect(page).toContain("from memory and unchecked");
  });

  test("idle sums come out", () => {
    expect(page).toContain(`: ${cents(12 * 1.5 + 0.1).toFixed(2)}, or ${cents(12 * 0.5 + 0.1).toFixed(2)};`);
    expect(page).toContain(`the sweeper ${cents(43_200 * 2 * 0.000_026)}`);
    expect(page).toContain(`${cents((10_000 / 10 / 100) * 0.012 * 730).toFixed(2)} with`);
    expect(page).toContain(`${cents(36.5 + 6 * 7.3 + 9 * 0.5).toFixed(2)}. Front Door`);
  });
});
