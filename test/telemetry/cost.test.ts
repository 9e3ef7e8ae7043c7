// What calls cost: the table against the list it was made from, both conventions of cached tokens, prices that nobody knows.
import { readFileSync } from "node:fs";
import { calcPrice, findProvider, type MatchLogic } from "@pydantic/genai-prices";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Usage } from "../../lib/model/usage.ts";
import { costOfUsage, createCostOf, createPricing } from "../../lib/telemetry/cost.ts";
import { pricesDate } from "../../lib/telemetry/prices.data.ts";

const kinds: Record<string, string> = {
  openai: "openai",
  anthropic: "anthropic",
  google: "gemini",
  azure: "azure-openai",
  aws: "bedrock",
};
const hosts = [
  "groq",
  "deepseek",
  "mistral",
  "x-ai",
  "together",
  "fireworks",
  "cohere",
  "perplexity",
  "moonshotai",
  "cerebras",
  "openrouter",
];
const vendors = [...Object.keys(kinds), ...hosts];

const usages: Usage[] = [
  { input: 1_000, output: 100 },
  { input: 1_000, output: 0 },
  { input: 300_000, output: 2_000 },
  { input: 5_000, output: 70, cachedInput: 4_000 },
  { input: 5_000, output: 70, cachedInput: 1_000, cacheWrite: 2_000 },
  { input: 250_000, output: 70, cachedInput: 200_000, cacheWrite: 2_000 },
  { input: 5_000, output: 70, cacheWrite: 2_000, cacheWriteLong: 500 },
  { input: 5_000, output: 700, inputAudio: 100, outputAudio: 50 },
];

/** The same counts under the list's names. */
const listed = (usage: Usage): Record<string, number | undefined> => ({
  input_tokens: usage.input,
  output_tokens: usage.output,
  cache_read_tokens: usage.cachedInput,
  cache_write_tokens: usage.cacheWrite,
  cache_write_1h_tokens: usage.cacheWriteLong,
  input_audio_tokens: usage.inputAudio,
  output_audio_tokens: usage.outputAudio,
});

/** What one count can't tell apart: hours, pages, pictures; and output where the list has no price of it. */
const untold = (price: Record<string, unknown>, usage: Usage): boolean =>
  Object.keys(price).some(
    (key) => /_hours|_kpages|_kcount|output_(?:image|video)/.test(key) && key !== "requests_kcount",
  ) ||
  price["input_mtok"] === undefined ||
  (price["output_mtok"] === undefined && usage.output > 0);

test("the table was made from the installed price list (else: npm run prices)", () => {
  const { version } = JSON.parse(readFileSync("node_modules/@pydantic/genai-prices/package.json", "utf8")) as {
    version: string;
  };
  const [first] = readFileSync("lib/telemetry/prices.data.ts", "utf8").split("\n");
  expect(first).toContain(`@pydantic/genai-prices ${version} `);
  expect(pricesDate).toMatch(/^20\d\d-\d\d-\d\d$/);
});

// Night and day, as some hosts charge by the hour; and later, as some prices are announced.
const times = ["T03:00:00Z", "T12:00:00Z", "T18:00:00Z"].map((time) => Date.parse(pricesDate + time));
const later = (times[1] ?? 0) + 90 * 86_400_000;

/** A name that the row fits, where its id is none. */
const nameOf = (match: MatchLogic): string => {
  if ("or" in match) return match.or.map(nameOf)[0] ?? "";
  if ("and" in match) return match.and.map(nameOf).join("");
  return String(Object.values(match)[0]);
};

test.each(vendors)("%s: every model, usage and time costs what the list says", (vendor) => {
  const found = findProvider({ providerId: vendor });
  if (found === undefined) throw new Error(`no vendor ${vendor}`);
  const wrong: unknown[] = [];
  let compared = 0;
  for (const now of [...times, later]) {
    const costOf = createCostOf({}, () => now);
    const options = { provider: found, timestamp: new Date(now) };
    for (const { id, match } of found.models)
      for (const usage of usages) {
        const name = calcPrice({}, id, options) === null ? nameOf(match) : id;
        const expected = calcPrice(listed(usage), name, options);
        if (expected === null) continue;
        const cost = costOf(kinds[vendor] ?? "openai-compatible", vendor, name, usage);
        const fits =
          cost === undefined
            ? untold(expected.model_price, usage)
            : Math.abs(cost - expected.total_price) <= expected.total_price * 1e-9;
        if (!fits) wrong.push({ name, usage, now, cost, expected: expected.total_price });
        compared += 1;
      }
  }
  expect(wrong).toEqual([]);
  expect(compared).toBeGreaterThan(100);
});

test("cached and written tokens are each priced once, at their own price (F36)", () => {
  const price = { input: 10, output: 50, cachedInput: 1, cacheWrite: 12, cacheWriteLong: 20 };
  const usage = { input: 1_000_000, cachedInput: 600_000, cacheWrite: 300_000, cacheWriteLong: 100_000, output: 0 };
  // 100,000 fresh, 600,000 read, 200,000 written for five minutes, 100,000 for an hour.
  expect(costOfUsage(usage, price)).toBe(1 + 0.6 + 2.4 + 2);
  expect(costOfUsage(usage, { input: 10, output: 50 })).toBe(10);
});

const counts = fc
  .record({
    fresh: fc.nat(1e6),
    cached: fc.nat(1e6),
    written: fc.nat(1e6),
    long: fc.nat(1e6),
    output: fc.nat(1e5),
    reasoning: fc.nat(1e5),
  })
  .map(({ fresh, cached, written, long, output, reasoning }): Usage => ({
    input: fresh + cached + written + long,
    cachedInput: cached,
    cacheWrite: written + long,
    cacheWriteLong: long,
    output: output + reasoning,
    reasoning,
  }));

test("whatever the split of a prompt, with one price for all its parts the cost is that of the whole (F36)", () => {
  fc.assert(
    fc.property(counts, (usage) => {
      const flat = costOfUsage(usage, { input: 3, output: 15 });
      expect(flat).toBeCloseTo((usage.input * 3 + usage.output * 15) / 1e6, 8);
      // Cheaper to read and dearer to write never leaves these bounds.
      const split =
        costOfUsage(usage, { input: 3, output: 15, cachedInput: 0.3, cacheWrite: 3.75, cacheWriteLong: 6 }) ??
        Number.NaN;
      expect(split).toBeGreaterThanOrEqual(((usage.input * 3 * 0.1 + usage.output * 15) / 1e6) * (1 - 1e-9));
      expect(split).toBeLessThanOrEqual(((usage.input * 6 + usage.output * 15) / 1e6) * (1 + 1e-9));
    }),
  );
});

test.each([
  ["openai", "openai", "gpt-of-tomorrow"],
  ["openai-compatible", "myhost", "gpt-5.4"],
  ["openai-compatible", "__proto__", "toString"],
  ["azure-openai", "azure", "my-deployment"],
])("a model without a known price has none, not 0 (F37): %s %s/%s", (kind, provider, model) => {
  expect(createCostOf({})(kind, provider, model, { input: 10, output: 10 })).toBeUndefined();
});

test("free models cost 0, which is known (F37)", () => {
  expect(createCostOf({})("echo", "echo", "echo", { input: 10, output: 10 })).toBe(0);
  expect(createCostOf({ mine: { input: 0, output: 0 } })("openai", "openai", "mine", { input: 10, output: 10 })).toBe(
    0,
  );
});

test("prices of the configuration come first: by provider and model, then by model", () => {
  const price = (input: number): { input: number; output: number } => ({ input, output: 0 });
  const costOf = createCostOf({ "openai/gpt-4o": price(1), "gpt-4o": price(2), "__proto__/x": price(3) });
  const million = { input: 1_000_000, output: 0 };
  expect(costOf("openai", "openai", "gpt-4o", million)).toBe(1);
  expect(costOf("openai", "other", "gpt-4o", million)).toBe(2);
  expect(costOf("openai", "openai", "gpt-4o-mini", million)).toBe(0.15);
  expect(costOf("openai", "openai", "gpt-4o", million)).toBe(1);
});

test.each([
  ["bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic", "claude-sonnet-4-5"],
  ["gemini", "models/gemini-2.5-flash", "google", "gemini-2.5-flash"],
  ["openai", "GPT-4o", "openai", "gpt-4o"],
  ["azure-openai", "gpt-4o", "openai", "gpt-4o"],
])("a host's own name for a model finds its price: %s %s", (kind, model, providerId, name) => {
  const usage = { input: 1_000, output: 100 };
  const cost = createCostOf({})(kind, kind, model, usage);
  const base = calcPrice(listed(usage), name, { providerId })?.total_price ?? 0;
  // Regional endpoints of Bedrock cost a tenth more.
  expect([base, base * 1.1].map((each) => each.toPrecision(6))).toContain(cost?.toPrecision(6));
});

test("a cost says what it was taken from", () => {
  const { costOf, priceVersionOf } = createPricing({
    "openai/gpt-5": { input: 1, output: 2 },
    own: { input: 1, output: 2 },
  });
  const usage = { input: 1_000, output: 100 };
  for (const [kind, provider, model, version] of [
    ["openai", "openai", "gpt-5", "configuration"],
    ["openai", "openai", "own", "configuration"],
    ["openai", "openai", "gpt-4o", pricesDate],
    ["echo", "echo", "echo", "free"],
    ["openai", "openai", "nobody-knows", undefined],
  ] as const) {
    expect(priceVersionOf(kind, provider, model)).toBe(version);
    expect(costOf(kind, provider, model, usage) === undefined).toBe(version === undefined);
  }
});
