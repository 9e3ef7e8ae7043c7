// AWS event streams (application/vnd.amazon.eventstream), read from any fragmentation and written: length-prefixed binary frames with two checksums.
// Own code, as the public codec costs a cold start more than these few lines.
import { GatewayError } from "../model/error.ts";

/** One frame. Header values that are not text are given as text; names as they came (`:event-type`). */
export type EventStreamFrame = { headers: Record<string, string>; payload: Uint8Array };

export type EventStreamSplitter = {
  /** The frames that became whole. Throws `upstream_error` where the bytes are no event stream; nothing can be read after that. */
  push: (chunk: Uint8Array) => EventStreamFrame[];
  /** Bytes of an unfinished frame that are still held: not 0 at the end of a stream means that it was cut. */
  held: () => number;
};

/** Total length, header length and their checksum. */
const preludeBytes = 12;
const checksumBytes = 4;
/** The protocol's own bounds: 24 MB a frame (16 in Bedrock), 128 KB of headers. */
const longestFrame = 24 * 1024 * 1024;
const longestHeaders = 128 * 1024;

const crc32 = (bytes: Uint8Array): number => process.getBuiltinModule("node:zlib").crc32(bytes);

const broken = (): GatewayError =>
  new GatewayError("upstream_error", "The provider's answer is not a valid AWS event stream.");

const text = (bytes: Buffer, from: number, to: number): string => {
  if (to > bytes.length) throw broken();
  return bytes.toString("utf8", from, to);
};

/** Bytes of the value of each fixed-size type; 6 (bytes) and 7 (text) carry their length, 0 and 1 are true and false. */
const sizes: Record<number, number> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 };

const fixedValue = (bytes: Buffer, type: number, from: number, size: number): string => {
  if (from + size > bytes.length) throw broken();
  switch (type) {
    case 0:
      return "true";
    case 1:
      return "false";
    case 9:
      return bytes.toString("hex", from, from + size);
    case 5:
    case 8:
      return bytes.readBigInt64BE(from).toString();
    default:
      return bytes.readIntBE(from, size).toString();
  }
};

const readHeaders = (bytes: Buffer): Record<string, string> => {
  const headers: Record<string, string> = {};
  let at = 0;
  while (at < bytes.length) {
    const nameEnd = at + 1 + bytes.readUInt8(at);
    const name = text(bytes, at + 1, nameEnd);
    if (nameEnd >= bytes.length) throw broken();
    const type = bytes.readUInt8(nameEnd);
    at = nameEnd + 1;
    if (type === 6 || type === 7) {
      if (at + 2 > bytes.length) throw broken();
      const end = at + 2 + bytes.readUInt16BE(at);
      if (end > bytes.length) throw broken();
      headers[name] = bytes.toString(type === 7 ? "utf8" : "base64", at + 2, end);
      at = end;
      continue;
    }
    const size = sizes[type];
    if (size === undefined) throw broken();
    headers[name] = fixedValue(bytes, type, at, size);
    at += size;
  }
  return headers;
};

/** The length of the frame that starts at `at`; undefined while its prelude is not whole. */
const frameLength = (bytes: Buffer, at: number, end: number): number | undefined => {
  if (end - at < preludeBytes) return undefined;
  const total = bytes.readUInt32BE(at);
  const headers = bytes.readUInt32BE(at + 4);
  if (crc32(bytes.subarray(at, at + 8)) !== bytes.readUInt32BE(at + 8)) throw broken();
  if (total > longestFrame || headers > longestHeaders || total < preludeBytes + headers + checksumBytes)
    throw broken();
  return total;
};

const readFrame = (frame: Buffer): EventStreamFrame => {
  const end = frame.length - checksumBytes;
  if (crc32(frame.subarray(0, end)) !== frame.readUInt32BE(end)) throw broken();
  const headersEnd = preludeBytes + frame.readUInt32BE(4);
  return { headers: readHeaders(frame.subarray(preludeBytes, headersEnd)), payload: frame.subarray(headersEnd, end) };
};

/** Incremental: whole frames are read where they lie, only an unfinished one is copied and kept. */
export const createEventStreamSplitter = (): EventStreamSplitter => {
  let kept = Buffer.alloc(0);
  let length = 0;

  const keep = (bytes: Uint8Array): void => {
    if (length + bytes.length > kept.length) {
      const larger = Buffer.allocUnsafe(Math.max(kept.length * 2, length + bytes.length));
      kept.copy(larger, 0, 0, length);
      kept = larger;
    }
    kept.set(bytes, length);
    length += bytes.length;
  };

  /** Reads all whole frames of `bytes` and gives the offset after them. */
  const readAllOf = (bytes: Buffer, end: number, out: EventStreamFrame[]): number => {
    let at = 0;
    for (;;) {
      const total = frameLength(bytes, at, end);
      if (total === undefined || end - at < total) return at;
      out.push(readFrame(bytes.subarray(at, at + total)));
      at += total;
    }
  };

  return {
    held: () => length,
    push: (chunk) => {
      const out: EventStreamFrame[] = [];
      if (length === 0) {
        const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
        const at = readAllOf(bytes, bytes.length, out);
        if (at < bytes.length) keep(bytes.subarray(at));
        return out;
      }
      keep(chunk);
      const at = readAllOf(kept, length, out);
      if (at > 0) {
        // The frames just read point into the old buffer: what is left moves to a new one.
        kept = Buffer.from(kept.subarray(at, length));
        length -= at;
      }
      return out;
    },
  };
};

/** One frame whose header values are all text. */
export const encodeEventStreamFrame = (headers: Record<string, string>, payload: Uint8Array | string): Uint8Array => {
  const fields: Buffer[] = [];
  for (const [name, value] of Object.entries(headers)) {
    const key = Buffer.from(name, "utf8");
    const bytes = Buffer.from(value, "utf8");
    const size = Buffer.from([7, bytes.length >> 8, bytes.length & 255]);
    fields.push(Buffer.from([key.length]), key, size, bytes);
  }
  const head = Buffer.concat(fields);
  const body = typeof payload === "string" ? Buffer.from(payload, "utf8") : payload;
  const frame = Buffer.allocUnsafe(preludeBytes + head.length + body.length + checksumBytes);
  frame.writeUInt32BE(frame.length, 0);
  frame.writeUInt32BE(head.length, 4);
  frame.writeUInt32BE(crc32(frame.subarray(0, 8)), 8);
  head.copy(frame, preludeBytes);
  frame.set(body, preludeBytes + head.length);
  frame.writeUInt32BE(crc32(frame.subarray(0, frame.length - checksumBytes)), frame.length - checksumBytes);
  return frame;
};
