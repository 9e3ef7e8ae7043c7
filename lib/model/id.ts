// What ids are made of.

/** The 62 letters and digits: safe in paths, headers and every wire. */
export const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
