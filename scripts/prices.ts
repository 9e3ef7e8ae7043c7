// Reduces the price list of @pydantic/genai-prices to the table that ships: `npm run prices`. Dated; no fetch at run time (F37).
import { readFileSync, writeFileSync } from "node:fs";
import { findProvider, type ConditionalPrice, type MatchLogic, type ModelPrice } from "@pydantic/genai-prices";

const vendors = [
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
  "openrouter",
];
/** In the order of the cells; the last is per thousand calls, the others per million tokens. */
const keys = [
  "input_mtok",
  "output_mtok",
  "cache_read_mtok",
  "cache_write_mtok",
  "cache_write_1h_mtok",
  "input_audio_mtok",
  "output_audio_mtok",
  "requests_kcount",
] as const;
const today = new Date().toISOString().slice(0, 10);

type Cell = number | number[] | null;

const cellOf = (value: ModelPrice[string]): Cell => {
  if (value === undefined || typeof value === "number") return value ?? null;
  return [
    value.base,
    ...[...value.tiers].sort((a, b) => a.start - b.start).flatMap((tier) => [tier.start, tier.price]),
  ];
};

/** Free where the list says so by an empty price; null where the price is of what a usage does not tell (hours, images, pages). */
const cellsOf = (price: ModelPrice): Cell[] | null => {
  if (Object.values(price).every((value) => value === undefined)) return [0, 0];
  const cells = keys.map((key) => cellOf(price[key]));
  if (cells[7] !== null && cells[7] !== undefined) cells[7] = Number(cells[7]) / 1_000;
  // Output that may be pictures or film, of another price than text, in one count.
  if (price["output_image_mtok"] !== undefined || price["output_video_mtok"] !== undefined) cells[1] = null;
  if (cells[0] === null) return null;
  while (cells.at(-1) === null) cells.pop();
  return cells;
};

const seconds = (time: string): number => {
  const match = /^(\d\d):(\d\d):(\d\d)Z$/.exec(time);
  if (match === null) throw new Error(`a time of another form: ${time}`);
  return Number(match[1]) * 3_600 + Number(match[2]) * 60 + Number(match[3]);
};

/** What holds from now on: `[cells]`, and later ones with `from` a date or `between` two times of the day in seconds (UTC). The last that holds counts. */
const scheduleOf = (prices: ConditionalPrice[] | ModelPrice): unknown[] => {
  if (!Array.isArray(prices)) return [cellsOf(prices)];
  const begun = prices.map(
    ({ constraint }) =>
      constraint === undefined || (constraint.type === "start_date" && constraint.start_date <= today),
  );
  return prices.slice(begun.lastIndexOf(true)).map(({ constraint, prices: price }, at) => {
    if (at === 0 || constraint === undefined) return cellsOf(price);
    if (constraint.type === "start_date") return { from: Date.parse(constraint.start_date), cells: cellsOf(price) };
    return { between: [seconds(constraint.start_time), seconds(constraint.end_time)], cells: cellsOf(price) };
  });
};

/** `=name`, `^start`, `$end`, `*part`, `~regex`; a list is any of them, `{and}` all. */
const matchOf = (match: MatchLogic): unknown => {
  if ("equals" in match) return `=${match.equals.toLowerCase()}`;
  if ("starts_with" in match) return `^${match.starts_with.toLowerCase()}`;
  if ("ends_with" in match) return `$${match.ends_with.toLowerCase()}`;
  if ("contains" in match) return `*${match.contains.toLowerCase()}`;
  if ("regex" in match) return `~${match.regex}`;
  if ("or" in match) return match.or.map(matchOf);
  return { and: match.and.map(matchOf) };
};

const rowsOf = (id: string): unknown[] => {
  const vendor = findProvider({ providerId: id });
  if (vendor === undefined) throw new Error(`no vendor ${id}`);
  return vendor.models.map((model) => [matchOf(model.match)].concat(scheduleOf(model.prices)));
};

const manifest = JSON.parse(
  readFileSync(new URL("../node_modules/@pydantic/genai-prices/package.json", import.meta.url), "utf8"),
) as {
  version: string;
};
const table = JSON.stringify(Object.fromEntries(vendors.map((id) => [id, rowsOf(id)])));
if (/['\\]/.test(table.replaceAll(/\\\\/g, "")))
  throw new Error("the table needs escapes that single quotes don't give");
const text = `'${table.replaceAll("\\", "\\\\")}'`;
writeFileSync(
  new URL("../lib/telemetry/prices.data.ts", import.meta.url),
  `// Made by scripts/prices.ts from @pydantic/genai-prices ${manifest.version} (MIT). Do not edit: set \`prices\` in heddle.yaml instead.
/** The day the table was made. */
export const pricesDate = "${today}";
/** JSON, parsed when the first price is asked for; its form stands in prices.ts. One text, as parsing a literal of this size costs a cold start. */
export const pricesJson: string =
  ${text};
`,
);
