// What ids are made of.

/** The 62 letters and digits: safe in paths, headers and every wire. */
export const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

const pool = new Uint8Array(4_096);
let next = pool.length;

/** 16 characters that no other process makes: 95 bits, from random bytes made in bulk. */
export const newId = (): string => {
  let id = "";
  while (id.length < 16) {
    if (next === pool.length) {
      process.getBuiltinModule("node:crypto").randomFillSync(pool);
      next = 0;
    }
    const byte = pool[next] ?? 255;
    next += 1;
    // What is over a multiple of 62 would make some letters likelier.
    if (byte < 248) id += idLetters[byte % 62];
  }
  return id;
};
