// Reduces the price list of @pydantic/genai-prices to the table that ships: `npm run prices`. Dated; no fetch at run time (F37).
import { readFileSync, writeFileSync } from "node:fs";
import { findProvider, type ConditionalPrice, type MatchLogic, type ModelPrice } from "@pydantic/genai-prices";

const providers = [
  "openai",
  "anthropic",
  "google",
  "azure",
  "aws",
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
];
/** In the order of the row: dollars per million tokens. */
const keys = ["input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok"] as const;

const current = (prices: ConditionalPrice[] | ModelPrice): ModelPrice => {
  if (!Array.isArray(prices)) return prices;
  const today = new Date().toISOString().slice(0, 10);
  const valid = prices.filter(({ constraint }) => constraint === undefined || (constraint.type === "start_date" && constraint.start_date <= today));
  return valid.at(-1)?.prices ?? {};
};

/** A price is a number, or `[base, start, price, …]` where it rises with the size of the prompt; 0 stands for absent in the row's tail. */
const row = (price: ModelPrice): unknown[] | undefined => {
  const cells = keys.map((key) => {
    const value = price[key];
    if (value === undefined || typeof value === "number") return value ?? null;
    return [value.base, ...value.tiers.flatMap((tier) => [tier.start, tier.price])];
  });
  while (cells.at(-1) === null) cells.pop();
  return cells.length === 0 ? undefined : cells;
};

const table: Record<string, [MatchLogic, unknown[]][]> = {};
for (const id of providers) {
  const provider = findProvider({ providerId: id });
  if (provider === undefined) throw new Error(`no provider ${id}`);
  table[id] = provider.models.flatMap((model): [MatchLogic, unknown[]][] => {
    const cells = row(current(model.prices));
    return cells === undefined ? [] : [[model.match, cells]];
  });
}

const manifest = JSON.parse(readFileSync(new URL("../node_modules/@pydantic/genai-prices/package.json", import.meta.url), "utf8")) as {
  version: string;
};
const lines = Object.entries(table).map(([id, rows]) => `${JSON.stringify(id)}:${JSON.stringify(rows)}`);
writeFileSync(
  new URL("../lib/telemetry/prices.data.ts", import.meta.url),
  `// Made by scripts/prices.ts from @pydantic/genai-prices ${manifest.version} (MIT). Do not edit: set \`prices\` in heddle.yaml instead.
/** The day the table was made. */
export const pricesDate = ${JSON.stringify(new Date().toISOString().slice(0, 10))};
/** JSON, parsed when the first price is asked for: provider -> [match, [input, output, cache read, cache write, cache write 1h]], in dollars per million tokens. */
export const pricesJson: string = ${JSON.stringify(`{${lines.join(",")}}`)};
`,
);
