// What ids are made of.

/** The 62 letters and digits: safe in paths, headers and every wire. */
export const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Request ids come from callers where they look like one, so that a trace can span systems. */
export const requestIdPattern = /^[A-Za-z0-9._-]{8,128}$/;

/** Filled by node:crypto: the global `crypto` is WebCrypto, which takes 2 ms of a cold start to load. */
const pool = new Uint8Array(4_096);
let next = pool.length;

/** So many letters and digits, each as likely as the other, that nobody can guess: random bytes are made in bulk, and wiped with their use. */
export const randomLetters = (length: number): string => {
  let text = "";
  while (text.length < length) {
    if (next === pool.length) {
      process.getBuiltinModule("node:crypto").randomFillSync(pool);
      next = 0;
    }
    const byte = pool[next] ?? 255;
    pool[next] = 0;
    next += 1;
    // What is over a multiple of 62 would make some letters likelier.
    if (byte < 248) text += idLetters[byte % 62];
  }
  return text;
};

/** 16 characters that no other process makes: 95 bits. */
export const newId = (): string => randomLetters(16);
