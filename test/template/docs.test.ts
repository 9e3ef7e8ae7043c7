// docs/deploy-aws.md says what template.yaml says: parameters, defaults, outputs, and sums that come out.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readTemplate, root } from "./template.ts";

const template = readTemplate();
const page = readFileSync(`${root}docs/deploy-aws.md`, "utf8");

test("every parameter is explained, with its default", () => {
  for (const [name, { Default }] of Object.entries(template.Parameters)) {
    const row = page.split("\n").find((line) => line.startsWith("|") && line.includes(`\`${name}\``));
    expect(row, name).toBeDefined();
    if (Default !== "") expect(row, name).toContain(String(Default));
  }
});

test("every output that is asked for is one", () => {
  const asked = [...page.matchAll(/\$\(out (\w+)\)/g)].map((match) => match[1] ?? "");
  expect(asked.length).toBeGreaterThan(5);
  for (const name of asked) expect(Object.keys(template.Outputs)).toContain(name);
});

describe("the cost of a million calls, computed", () => {
  const rows = new Map(
    page.split("\n").flatMap((line) => {
      const cells = line.split("|").map((cell) => cell.replaceAll("*", "").trim());
      const figures = cells.slice(2, 5).map(Number);
      return cells.length === 6 && figures.every(Number.isFinite) ? [[cells[1] ?? "", figures] as const] : [];
    }),
  );
  const price = (name: string): number => {
    const figure = new RegExp(`${name}[^\\n]*`).exec(page)?.[0] ?? "";
    return Number(/\d+\.\d+/.exec(figure)?.[0]);
  };
  const million = 1_000_000;
  const table = (writes: number, reads: number): number => writes * 0.625 + reads * 0.125;
  const cents = (dollars: number): number => Math.round(dollars * 100) / 100;
  const beside = 0.2 + (1 + 125 * 0.085) + 1.5 * 0.5 + table(6, 1);

  test.each([
    [2, 0],
    [10, 1],
    [30, 2],
  ])("at %s seconds a call", (seconds, column) => {
    const waiting = million * seconds * 0.5 * 0.000_013_333_4;
    const figure = (name: string): number | undefined => [...rows].find(([key]) => key.startsWith(name))?.[1][column];
    expect(figure("Lambda, waiting")).toBe(cents(waiting));
    expect(figure("stateless")).toBe(cents(waiting + beside));
    expect(figure("on a thread")).toBe(cents(waiting + beside + table(46, 29)));
  });

  test("stands on the prices of its formula", () => {
    expect(price("calls   = N")).toBe(0.000_013_333_4);
    expect(page).toContain("(W × 0.625 + R × 0.125)");
    expect(page).toContain("not taken from a bill");
  });
});
