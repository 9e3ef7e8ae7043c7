// Bytes as letters and digits, which nothing on a key's way escapes or cuts.
import { idLetters } from "../../model/id.ts";

const values = new Map(idLetters.split("").map((letter, value) => [letter, BigInt(value)]));
const base = 62n;

/** How many letters so many bytes take, up to a block of eight. */
const lettersOf = [0, 2, 3, 5, 6, 7, 9, 10, 11] as const;
const block = 8;

/** In blocks of eight bytes, so that it takes no longer per byte for long ones. */
export const encodeBase62 = (bytes: Uint8Array): string => {
  let text = "";
  for (let at = 0; at < bytes.length; at += block) {
    const part = bytes.subarray(at, at + block);
    let number = 0n;
    for (const byte of part) number = (number << 8n) | BigInt(byte);
    let letters = "";
    for (let left = lettersOf[part.length] ?? 0; left > 0; left -= 1) {
      letters = `${idLetters[Number(number % base)] ?? ""}${letters}`;
      number /= base;
    }
    text += letters;
  }
  return text;
};

/** Undefined where it is not what `encodeBase62` gives: every sequence of bytes has one text. */
export const decodeBase62 = (text: string): Uint8Array<ArrayBuffer> | undefined => {
  const full = lettersOf[block];
  const rest = (lettersOf as readonly number[]).indexOf(text.length % full);
  if (rest < 0) return undefined;
  const bytes = new Uint8Array(Math.floor(text.length / full) * block + rest);
  for (let from = 0, to = 0; from < text.length; from += full, to += block) {
    const size = Math.min(block, bytes.length - to);
    let number = 0n;
    for (const letter of text.slice(from, from + full)) {
      const value = values.get(letter);
      if (value === undefined) return undefined;
      number = number * base + value;
    }
    if (number >> BigInt(size * 8) !== 0n) return undefined;
    for (let at = size - 1; at >= 0; at -= 1) {
      bytes[to + at] = Number(number & 255n);
      number >>= 8n;
    }
  }
  return bytes;
};

/** One letter for each of a hash's first bytes. */
export const lettersOfHash = (hash: Uint8Array, length: number): string => {
  let text = "";
  for (let at = 0; at < length; at += 1) text += idLetters[(hash[at] ?? 0) % 62] ?? "";
  return text;
};
