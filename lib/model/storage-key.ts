// How names and numbers go into storage keys, whatever is stored: nothing here may change once something was stored with it.

/** Safe in every store's keys, and without the separators used in them (`/`, `:`, `~`). */
export const safe = (text: string): string => encodeURIComponent(text.toWellFormed()).replaceAll("~", "%7E");

/** The same for text that may be long: stores cap their keys. What is cut off is told apart by a hash. */
export const short = (text: string): string => {
  const encoded = safe(text);
  return encoded.length <= 240
    ? encoded
    : `${encoded.slice(0, 160)}~${process.getBuiltinModule("node:crypto").hash("sha256", text, "hex")}`;
};

/** Sorts as text as it does as a number. */
export const padded = (value: number, width = 10): string =>
  String(Math.max(0, Math.floor(value))).padStart(width, "0");
export const paddedTime = (ms: number): string => padded(ms, 15);

/** The same text always falls into the same bucket, from 0 to `buckets` - 1. */
export const bucketOf = (text: string, buckets: number): number => {
  let sum = 0;
  for (let at = 0; at < text.length; at += 1) sum = (sum * 31 + text.charCodeAt(at)) % 65_521;
  return sum % buckets;
};
