import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createSseSplitter, type SseEvent } from "../../lib/http/sse.ts";
import { fragments } from "../recorded.ts";

const read = (text: string, size = 1_000_000): SseEvent[] => {
  const splitter = createSseSplitter();
  return [
    ...fragments(new TextEncoder().encode(text), size).flatMap((piece) => splitter.push(piece)),
    ...splitter.end(),
  ];
};

describe("server-sent events", () => {
  test("CRLF, CR, no space after the colon, comments, many data lines, an unterminated end (F8)", () => {
    expect(read("event: a\r\ndata: 1\r\n\r\n: hi\ndata:2\ndata: 3\n\nid: 7\rdata: 4\r\rdata: 5")).toEqual([
      { event: "a", data: "1" },
      { data: "2\n3" },
      { data: "4", id: "7" },
      { data: "5", id: "7" },
    ]);
  });

  test("any fragmentation gives the same events, UTF-8 and CRLF split anywhere (F8)", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.constantFrom("data: ", "data:", "event: ", ": ", "id: ", ""),
            fc.string({ unit: "grapheme" }),
            fc.constantFrom("\n", "\r\n", "\n\n", "\r\n\r\n"),
          ),
        ),
        fc.integer({ min: 1, max: 9 }),
        (lines, size) => {
          const text = lines.map(([field, value, end]) => field + value.replaceAll(/[\r\n]/g, "") + end).join("");
          expect(read(text, size)).toEqual(read(text));
        },
      ),
    );
  });
});
