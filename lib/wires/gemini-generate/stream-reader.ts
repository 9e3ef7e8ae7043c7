// Bytes of a streamed answer to its chunks: server-sent events, or without `alt=sse` one JSON array that grows.
import type { Json, JsonObject } from "../../model/json.ts";
import type { StreamEvent } from "../../model/event.ts";
import type { EventDecoder, Target } from "../wire.ts";
import { GatewayError } from "../../model/error.ts";
import { parseJson } from "../../model/json.ts";
import { createSseSplitter } from "../../http/sse.ts";
import { createAnswerReader } from "./answer-reader.ts";
import { errorFrom, errorIn } from "./errors.ts";

/** The texts of the objects in a growing array, or of objects one after another. Only the unfinished one is kept. */
const createObjectSplitter = (): { push: (text: string) => string[]; unfinished: () => boolean } => {
  let rest = "";
  let at = 0;
  let depth = 0;
  let begin = 0;
  let quoted = false;
  let escaped = false;
  return {
    unfinished: () => depth > 0,
    push: (text) => {
      rest += text;
      const found: string[] = [];
      for (; at < rest.length; at += 1) {
        const code = rest.charCodeAt(at);
        if (quoted) {
          if (escaped) escaped = false;
          else if (code === 92) escaped = true;
          else if (code === 34) quoted = false;
        } else if (code === 34) quoted = depth > 0;
        else if (code === 123) {
          if (depth === 0) begin = at;
          depth += 1;
        } else if (code === 125 && depth > 0) {
          depth -= 1;
          if (depth === 0) found.push(rest.slice(begin, at + 1));
        }
      }
      if (depth === 0) {
        rest = "";
        at = 0;
      } else if (begin > 0) {
        rest = rest.slice(begin);
        at -= begin;
        begin = 0;
      }
      return found;
    },
  };
};

/** Data of whole chunks, whatever the form. */
type Splitter = { push: (bytes: Uint8Array) => string[]; end: () => string[] };

const sseData = (): Splitter => {
  const splitter = createSseSplitter();
  return {
    push: (bytes) => splitter.push(bytes).map((event) => event.data),
    end: () => splitter.end().map((event) => event.data),
  };
};

const arrayData = (): Splitter => {
  const text = new TextDecoder();
  const splitter = createObjectSplitter();
  return {
    push: (bytes) => splitter.push(text.decode(bytes, { stream: true })),
    end: () => splitter.push(text.decode()),
  };
};

const isSpace = (byte: number): boolean => byte === 32 || byte === 9 || byte === 10 || byte === 13;
const byteOrderMark = new Set([0xef, 0xbb, 0xbf]);

/** How many of the last reads are kept, to find an error that was written raw after the events (F27). */
const tailLimit = 8;

const rawErrorIn = (tail: string): JsonObject | undefined => {
  const at = tail.search(/^[ \t]*\[?[ \t\r\n]*\{[ \t\r\n]*"error"/m);
  return at < 0 ? undefined : errorIn(parseJson(tail.slice(at).trim()));
};

/** Reads both forms; which it is shows in the first byte. */
export const decodeEvents = (target: Target): EventDecoder => {
  const reader = createAnswerReader(target);
  let splitter: Splitter | undefined;
  let tail: Uint8Array[] = [];
  let broken = false;

  const fail = (message: string): StreamEvent[] => {
    broken = true;
    return [{ type: "error", error: new GatewayError("upstream_error", message, { provider: target.provider }) }];
  };

  const read = (texts: readonly string[]): StreamEvent[] => {
    const events: StreamEvent[] = [];
    for (const text of texts) {
      if (broken || reader.failed()) break;
      if (text === "" || text === "[DONE]") continue;
      const value: Json | undefined = parseJson(text);
      events.push(...(value === undefined ? fail("The provider sent a chunk that is not JSON.") : reader.chunk(value)));
    }
    return events;
  };

  return {
    push: (chunk) => {
      let bytes = chunk;
      if (splitter === undefined) {
        const first = bytes.findIndex((byte) => !isSpace(byte) && !byteOrderMark.has(byte));
        if (first < 0) return [];
        bytes = bytes.subarray(first);
        splitter = bytes[0] === 91 || bytes[0] === 123 ? arrayData() : sseData();
      }
      const events = read(splitter.push(bytes));
      if (events.length > 0 || tail.length === tailLimit) tail = [];
      tail.push(bytes);
      return events;
    },
    end: () => {
      if (broken || reader.failed()) return [];
      const raw = rawErrorIn(Buffer.concat(tail).toString("utf8"));
      if (raw !== undefined) return [{ type: "error", error: errorFrom(raw, 200, {}, target) }];
      const last = splitter?.end() ?? [];
      // What stands unfinished at the end was cut, not garbled.
      const events = read(last.filter((text) => parseJson(text) !== undefined));
      return [...events, ...reader.finish(true)];
    },
  };
};
