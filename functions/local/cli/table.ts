// What a server said, as a person reads it: columns, or one line for each field.

export type Row = Readonly<Record<string, unknown>>;

export type Column = { title: string; of: (row: Row) => unknown; right?: boolean };

const asRow = (value: unknown): Row =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Row) : {};

/** The objects of a list, or of one answer. */
export const rowsOf = (answer: unknown): Row[] => {
  const { data } = asRow(answer);
  return Array.isArray(data) ? data.map(asRow) : [];
};
export const rowOf = asRow;

/** Names come from anybody: none of them may steer a terminal. */
const plain = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u00b7");

const cellText = (value: unknown): string => {
  if (value === undefined || value === null || value === "") return "-";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.length === 0 ? "-" : value.map(cellText).join(",");
  return plain(typeof value === "string" ? value : JSON.stringify(value));
};

/** Unix milliseconds to the second, in UTC. */
export const timeText = (value: unknown): string =>
  typeof value === "number" && Math.abs(value) <= 8.64e15
    ? new Date(value).toISOString().replace("T", " ").slice(0, 19)
    : cellText(value);

export const dollarText = (value: unknown): string =>
  typeof value === "number" ? `$${value.toFixed(value !== 0 && Math.abs(value) < 0.01 ? 6 : 2)}` : cellText(value);

/** `none`: what is said where there is nothing. */
export const tableText = (rows: readonly Row[], columns: readonly Column[], none: string): string => {
  if (rows.length === 0) return `${none}\n`;
  const cells = rows.map((row) => columns.map(({ of }) => cellText(of(row))));
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...cells.map((line) => line[at]?.length ?? 0)));
  const line = (texts: readonly string[]): string =>
    `${texts
      .map((text, at) => (columns[at]?.right === true ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd()}\n`;
  return [line(columns.map(({ title }) => title.toUpperCase())), ...cells.map(line)].join("");
};

/** Names that end in `_at` are times. */
export const fieldsText = (row: Row): string => {
  const entries = Object.entries(row).filter(([name]) => name !== "object");
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries
    .map(([name, value]) => `${name.padEnd(width)}  ${name.endsWith("_at") ? timeText(value) : cellText(value)}\n`)
    .join("");
};

export const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
