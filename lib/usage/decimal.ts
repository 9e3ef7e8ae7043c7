// Money as text, without the noise of binary fractions.

/** Dollars of a whole number of nanodollars: `1.234567891`, `0.5`, `12`. */
export const decimalDollars = (nanos: number): string => {
  const whole = BigInt(Math.round(nanos));
  const sign = whole < 0n ? "-" : "";
  const digits = String(whole < 0n ? -whole : whole).padStart(10, "0");
  const fraction = digits.slice(-9).replace(/0+$/, "");
  return `${sign}${digits.slice(0, -9)}${fraction === "" ? "" : `.${fraction}`}`;
};
