// Ids of documents from sort keys: legal for Cosmos DB (no `/ \ ? # %`, no spaces), readable, one for one, and in the same order.
// Only ASCII comes out, so that every engine sorts ids as the port sorts keys: by the UTF-8 bytes of the key.

/** What a byte becomes; bytes that aren't here stay as they are. Each escape sorts where its byte does. */
const escapeOf = (byte: number): string | undefined => {
  if (byte < 0x24) return `!${byte.toString(16).padStart(2, "0")}`;
  if (byte > 0x7d) return `~${byte.toString(16)}`;
  return escapes[byte];
};

const escapes: Readonly<Record<number, string>> = {
  0x24: "$1", // $
  0x25: "$2", // %
  0x2e: ".1", // .
  0x2f: ".2", // /
  0x3e: ">1", // >
  0x3f: ">2", // ?
  0x5b: "[1", // [
  0x5c: "[2", // \
};

const plain = /^[&-\-0-=@-Z\]-}]*$/;

/** The id for a sort key, or the like for any other key. A prefix of a key gives a prefix of its id. */
export const idOf = (key: string): string => {
  if (plain.test(key)) return key;
  let id = "";
  for (const byte of Buffer.from(key)) id += escapeOf(byte) ?? String.fromCharCode(byte);
  return id;
};

/** The least that an id may hold is `!`: this sorts before whatever follows a part. */
const separator = " ";

/** One string that sorts as `parts` do one after another, for the order of the index. */
export const orderOf = (...parts: readonly string[]): string => parts.map(idOf).join(separator);
