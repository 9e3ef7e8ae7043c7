// What ids are made of.

/** The 62 letters and digits: safe in paths, headers and every wire. */
export const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** 16 characters that no other process makes: 95 bits. */
export const newId = (): string => {
  let id = "";
  while (id.length < 16)
    // What is over a multiple of 62 would make some letters likelier.
    for (const byte of crypto.getRandomValues(new Uint8Array(24)))
      if (byte < 248 && id.length < 16) id += idLetters[byte % 62];
  return id;
};
