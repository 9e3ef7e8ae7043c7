// docs/security.md says which test holds which item: each one that it names is there, under that very title.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const page = read("docs/security.md");

/** Titles of a file's tests and groups, as they stand in its source. */
const titlesIn = (path: string): string[] =>
  [...read(path).matchAll(/\(\s*(?:"((?:[^"\\]|\\.)+)"|`((?:[^`\\]|\\.)+)`)\s*,/g)].map(
    (match) => match[1] ?? match[2] ?? "",
  );

const api = [
  "Broken Object Level Authorization",
  "Broken Authentication",
  "Broken Object Property Level Authorization",
  "Unrestricted Resource Consumption",
  "Broken Function Level Authorization",
  "Unrestricted Access to Sensitive Business Flows",
  "Server Side Request Forgery",
  "Security Misconfiguration",
  "Improper Inventory Management",
  "Unsafe Consumption of APIs",
].map((name, at) => `API${at + 1}:2023 ${name}`);
const llm = [
  "Prompt Injection",
  "Sensitive Information Disclosure",
  "Supply Chain",
  "Data and Model Poisoning",
  "Improper Output Handling",
  "Excessive Agency",
  "System Prompt Leakage",
  "Vector and Embedding Weaknesses",
  "Misinformation",
  "Unbounded Consumption",
].map((name, at) => `LLM${String(at + 1).padStart(2, "0")}:2025 ${name}`);

const sections = new Map(
  page.split(/^### /m).map((text) => [text.slice(0, text.indexOf("\n")), text.split(/^## /m)[0] ?? ""]),
);
const named = (text: string): [path: string, title: string][] =>
  [...text.matchAll(/^- `([^`]+)`: \*(.+)\*$/gm)].map((match) => [match[1] ?? "", match[2] ?? ""]);

describe("the security page", () => {
  test.each([...api, ...llm])("%s has its section, and a test that holds it", (item) => {
    expect([...sections.keys()]).toContain(item);
    expect(named(sections.get(item) ?? "").length).toBeGreaterThan(0);
  });

  test("names no test file and no title that isn't there", () => {
    const all = named(page);
    expect(all.length).toBeGreaterThan(60);
    // A line that only looks like one would hold nothing.
    expect(all.length).toBe([...page.matchAll(/^- .*test\//gm)].length);
    const wrong = all.filter(([path, title]) => !existsSync(join(root, path)) || !titlesIn(path).includes(title));
    expect(wrong).toEqual([]);
  });

  test("leads nowhere that isn't there", () => {
    const links = [...page.matchAll(/\]\(([^)#:]+)\)/g)].map((match) =>
      join(dirname("docs/security.md"), match[1] ?? ""),
    );
    expect(links.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

test.each(["F38", "F39", "F40", "F41", "F42", "F43", "F44", "F45"])("%s stands in the title of a test here", (note) => {
  const files = readdirSync(join(root, "test/security")).filter((name) => name.endsWith(".test.ts"));
  const titles = files.flatMap((name) => titlesIn(`test/security/${name}`));
  expect(titles.filter((title) => new RegExp(`\\((?:F\\d+, )*${note}(?:, F\\d+)*\\)`).test(title))).not.toEqual([]);
});
