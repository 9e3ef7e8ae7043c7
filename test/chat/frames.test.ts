import fc from "fast-check";
import { expect, test } from "vitest";
import { createFrameCutter } from "../../lib/chat/frames.ts";
import { fragments } from "../recorded.ts";

test("what passes ends at a frame's end, and all of it passes, whatever the reads", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string(), fc.constantFrom("\n\n", "\r\n\r\n", "\r\r", "\n", "\r\n"))),
      fc.integer({ min: 1, max: 12 }),
      (pieces, size) => {
        const whole = Buffer.from(pieces.map(([text, end]) => text + end).join(""));
        const cutter = createFrameCutter();
        const passed = fragments(whole, size).flatMap((piece) => {
          const frames = cutter.push(piece);
          return frames === undefined ? [] : [Buffer.from(frames)];
        });
        for (const frames of passed) expect(/(?:\n\n|\n\r\n|\r\r)$/.test(frames.toString("latin1"))).toBe(true);
        expect(Buffer.concat([...passed, cutter.rest()]).equals(whole)).toBe(true);
      },
    ),
  );
});
