// AWS event streams: frames written here are read back from any fragmentation, and anything broken is told.
import { describe, expect, it } from "vitest";
import { createEventStreamSplitter, encodeEventStreamFrame } from "../../lib/http/eventstream.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { bodyOf, fragments, haveRecordings, recordings } from "../recorded.ts";

/** Recordings that are no event stream at all, and why. */
const malformed: Record<string, string> = {
  "94e097fff6f9": "its body is the text `base64:…`, not the bytes which that text stands for",
};

const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

const first = encodeEventStreamFrame(
  { ":event-type": "messageStart", ":message-type": "event" },
  '{"role":"assistant"}',
);
const second = encodeEventStreamFrame({ ":event-type": "contentBlockDelta" }, '{"delta":{"text":"grüß Gott 👋"}}');
const third = encodeEventStreamFrame({}, "");
const stream = new Uint8Array(Buffer.concat([first, second, third]));

const readIn = (bytes: Uint8Array, size: number) => {
  const splitter = createEventStreamSplitter();
  const frames = fragments(bytes, size).flatMap((piece) => splitter.push(piece));
  return {
    held: splitter.held(),
    frames: frames.map((frame) => ({ headers: frame.headers, payload: utf8(frame.payload) })),
  };
};

describe("event stream frames", () => {
  it("reads a frame of AWS's own test vectors", () => {
    const vector = Buffer.from(
      "0000003d0000002007fd8396" +
        "0c636f6e74656e742d74797065070010" +
        "6170706c69636174696f6e2f6a736f6e" +
        "7b27666f6f273a27626172277d8d9c08b1",
      "hex",
    );
    const [frame] = createEventStreamSplitter().push(vector);
    expect(frame?.headers).toEqual({ "content-type": "application/json" });
    expect(utf8(frame!.payload)).toBe("{'foo':'bar'}");
    expect(Buffer.from(encodeEventStreamFrame({ "content-type": "application/json" }, "{'foo':'bar'}"))).toEqual(
      vector,
    );
  });

  it.each([1, 3, 7, 64, 10_000])("gives the same frames in fragments of %i bytes (F8)", (size) => {
    expect(readIn(stream, size)).toEqual({
      held: 0,
      frames: [
        { headers: { ":event-type": "messageStart", ":message-type": "event" }, payload: '{"role":"assistant"}' },
        { headers: { ":event-type": "contentBlockDelta" }, payload: '{"delta":{"text":"grüß Gott 👋"}}' },
        { headers: {}, payload: "" },
      ],
    });
  });

  it("keeps frames it has given intact while more bytes come", () => {
    const splitter = createEventStreamSplitter();
    splitter.push(stream.subarray(0, 5));
    const given = splitter.push(stream.subarray(5, first.length + 4));
    splitter.push(stream.subarray(first.length + 4));
    expect(utf8(given[0]!.payload)).toBe('{"role":"assistant"}');
  });

  it("tells that a stream was cut (F26)", () => {
    expect(readIn(stream.subarray(0, first.length + 9), 7)).toMatchObject({ held: 9, frames: [{}] });
  });

  it("reads header values of every type as text", () => {
    const header = (name: string, type: number, value: number[]): number[] => [
      name.length,
      ...Buffer.from(name),
      type,
      ...value,
    ];
    const head = Buffer.from([
      ...header("a", 0, []),
      ...header("b", 1, []),
      ...header("c", 2, [255]),
      ...header("d", 3, [1, 0]),
      ...header("e", 4, [0, 1, 0, 0]),
      ...header("f", 5, [0, 0, 0, 1, 0, 0, 0, 0]),
      ...header("g", 6, [0, 2, 1, 2]),
      ...header("h", 8, [0, 0, 0, 0, 0, 0, 0, 9]),
      ...header(
        "i",
        9,
        Array.from({ length: 16 }, () => 171),
      ),
    ]);
    // A frame of text headers of the same length is rewritten: only its checksums must be made anew.
    const made = Buffer.from(encodeEventStreamFrame({ x: "y".repeat(head.length - 5) }, "p"));
    head.copy(made, 12);
    made.writeUInt32BE(process.getBuiltinModule("node:zlib").crc32(made.subarray(0, -4)), made.length - 4);
    expect(createEventStreamSplitter().push(made)[0]?.headers).toEqual({
      a: "true",
      b: "false",
      c: "-1",
      d: "256",
      e: "65536",
      f: "4294967296",
      g: "AQI=",
      h: "9",
      i: "ab".repeat(16),
    });
  });

  it.each([
    ["HTML instead of frames", Buffer.from("<html><body>Bad gateway</body></html>")],
    ["JSON instead of frames (F27)", Buffer.from('{"message":"no such thing"}')],
    ["a flipped bit in the payload", flipped(stream, first.length - 6)],
    ["a flipped bit in the prelude", flipped(stream, 2)],
    ["a flipped bit in a header", flipped(stream, 14)],
  ])("refuses %s", (_, bytes) => {
    const splitter = createEventStreamSplitter();
    let thrown: unknown;
    try {
      splitter.push(bytes);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(GatewayError);
    expect((thrown as GatewayError).code).toBe("upstream_error");
  });
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[at] = copy[at]! ^ 4;
  return copy;
}

describe.skipIf(!haveRecordings)("recorded event streams", () => {
  const streams = recordings().filter((record) => record.ctype === "application/vnd.amazon.eventstream");
  it("are there", () => expect(streams.length).toBeGreaterThan(40));
  const whole = streams.filter((record) => malformed[record.id] === undefined);
  it.each(whole.map((record) => [record.id, record] as const))(
    "%s: every frame is whole, in any fragments",
    (_, record) => {
      const body = bodyOf(record);
      const read = readIn(body, body.length);
      expect(read.held).toBe(0);
      expect(read.frames.length).toBeGreaterThan(2);
      for (const size of [1, 7, 64]) expect(readIn(body, size)).toEqual(read);
    },
  );
  const bad = streams.filter((record) => malformed[record.id] !== undefined);
  it.each(bad.map((record) => [record.id, malformed[record.id], record] as const))(
    "%s is refused: %s",
    (_, __, record) => {
      expect(() => readIn(bodyOf(record), 64)).toThrow("not a valid AWS event stream");
      const meant = Buffer.from((record.resp_text ?? "").replace(/^base64:/, ""), "base64");
      expect(readIn(meant, 7)).toMatchObject({ held: 0 });
    },
  );
});
