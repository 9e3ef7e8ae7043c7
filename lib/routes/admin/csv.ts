// Rows as CSV (RFC 4180) that a spreadsheet reads as text, not as formulas.

/** A cell that begins so would be carried out by a spreadsheet. */
const formula = /^[=+\-@\t\r]/;

const cell = (text: string): string => {
  const plain = formula.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
};

export const csv = (columns: readonly string[], rows: readonly (readonly string[])[]): string =>
  [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
