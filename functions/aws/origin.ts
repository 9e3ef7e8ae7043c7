// Whether a call came in by the front door: CloudFront adds a secret header, which nobody who calls the function's own URL knows.
import { createHash, timingSafeEqual } from "node:crypto";
import type { HttpEvent } from "./event.ts";

const originHeader = "x-heddle-origin";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

const given = (event: HttpEvent | null): string => {
  for (const [name, value] of Object.entries(event?.headers ?? {}))
    if (name.toLowerCase() === originHeader) return value ?? "";
  return "";
};

/** In constant time, over all the values: which of them was meant, and how much of it was right, can't be told from outside. */
export const cameByFront = (event: HttpEvent | null, values: readonly string[]): boolean => {
  if (values.length === 0) return true;
  // An API of API Gateway is a front of its own, and can't add a header. No caller of the URL makes such an event: Lambda does.
  if (event !== null && !("rawPath" in event)) return true;
  const told = digest(given(event));
  let same = false;
  for (const value of values) same = timingSafeEqual(told, digest(value)) || same;
  return same;
};
