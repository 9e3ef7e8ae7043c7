// The top level of a JSON object, found without parsing it: what pass-through needs to know and to replace costs a scan, not a parse (SPEED).

/** Byte offsets of a member: its key's opening quote, its value's first byte and the byte after its value. */
type Member = { keyStart: number; start: number; end: number };

export type Scan = {
  /** The body, one character a byte. */
  text: string;
  members: Map<string, Member>;
};

const quote = 34;
const backslash = 92;

/** The offset of the closing quote of the string that opens at `at`; -1 where there is none. */
const stringEnd = (text: string, at: number): number => {
  let end = at;
  for (;;) {
    end = text.indexOf('"', end + 1);
    if (end < 0) return -1;
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === backslash) slashes += 1;
    if (slashes % 2 === 0) return end;
  }
};

const skipSpace = (text: string, from: number): number => {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return at;
    at += 1;
  }
};

/** The offset after the value that starts at `from`; -1 where it never ends. Nesting is counted, not checked: a provider refuses what is not JSON. */
const valueEnd = (text: string, from: number): number => {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = stringEnd(text, at);
      if (at < 0) return -1;
      if (depth === 0) return at + 1;
    } else if (code === 123 || code === 91) depth += 1;
    else if (code === 125 || code === 93) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (code === 44 || code === 32 || code === 10 || code === 13 || code === 9)) return at;
  }
  return -1;
};

/**
 * The members of the object that `body` holds. Undefined where a scan can't tell for sure (not an object, escaped or
 * repeated keys, cut off): the caller parses then, and parsing decides.
 */
export const scanObject = (body: Uint8Array): Scan | undefined => {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
  const members = new Map<string, Member>();
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== 123) return undefined;
  at = skipSpace(text, at + 1);
  if (text.charCodeAt(at) === 125) return skipSpace(text, at + 1) === text.length ? { text, members } : undefined;
  for (;;) {
    if (text.charCodeAt(at) !== quote) return undefined;
    const keyStart = at;
    const keyEnd = stringEnd(text, at);
    if (keyEnd < 0) return undefined;
    const key = text.slice(keyStart + 1, keyEnd);
    if (key.includes("\\") || members.has(key)) return undefined;
    at = skipSpace(text, keyEnd + 1);
    if (text.charCodeAt(at) !== 58) return undefined;
    const start = skipSpace(text, at + 1);
    const end = valueEnd(text, start);
    if (end <= start) return undefined;
    members.set(key, { keyStart, start, end });
    at = skipSpace(text, end);
    const code = text.charCodeAt(at);
    if (code === 125) return skipSpace(text, at + 1) === text.length ? { text, members } : undefined;
    if (code !== 44) return undefined;
    at = skipSpace(text, at + 1);
  }
};

const beyondAscii = /[\x80-\xff]/;

/** The source text of a member's value, as UTF-8; undefined where it is absent. */
export const memberText = (scan: Scan, name: string): string | undefined => {
  const member = scan.members.get(name);
  if (member === undefined) return undefined;
  const text = scan.text.slice(member.start, member.end);
  return beyondAscii.test(text) ? Buffer.from(text, "latin1").toString("utf8") : text;
};

/** `body` with some byte ranges replaced; ranges in order, not overlapping. Everything else stays byte for byte. */
export const splice = (
  body: Uint8Array,
  edits: readonly { start: number; end: number; text: string }[],
): Uint8Array => {
  if (edits.length === 0) return body;
  let size = body.length;
  for (const { start, end, text } of edits) size += Buffer.byteLength(text) - (end - start);
  const spliced = Buffer.allocUnsafe(size);
  let from = 0;
  let to = 0;
  for (const { start, end, text } of edits) {
    spliced.set(body.subarray(from, start), to);
    to += start - from;
    to += spliced.write(text, to);
    from = end;
  }
  spliced.set(body.subarray(from), to);
  return spliced;
};
