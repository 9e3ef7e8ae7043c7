import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { memberText, scanObject, splice } from "../../lib/http/scan.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("scanObject", () => {
  test("finds every member that JSON.parse finds, with the same value", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(undefined, 1, "\t"), (object, indent) => {
        const text = JSON.stringify(object, undefined, indent);
        const scan = scanObject(bytes(text));
        // Keys that need an escape are left to the parser.
        if (Object.keys(object).some((key) => JSON.stringify(key).includes("\\"))) {
          expect(scan).toBeUndefined();
          return;
        }
        expect(scan).toBeDefined();
        if (scan === undefined) return;
        for (const key of Object.keys(object))
          if (/^[\x20-\x7e]*$/.test(key))
            expect(JSON.parse(memberText(scan, key) ?? "")).toEqual(JSON.parse(JSON.stringify(object[key])));
        expect(scan.members.size).toBe(Object.keys(object).length);
      }),
    );
  });

  test("never throws, whatever the bytes", () => {
    fc.assert(fc.property(fc.oneof(fc.uint8Array(), fc.string().map(bytes)), (body) => void scanObject(body)));
  });

  test.each(['{"a":1,"a":2}', "[1]", '{"a":1', '{"a" 1}', '{"a":}', '{"a":1} x', '{"\\u0061":1}', '{"a":"cut', ""])(
    "leaves %s to the parser",
    (text) => {
      expect(scanObject(bytes(text))).toBeUndefined();
    },
  );

  test("offsets are of bytes, not characters", () => {
    const body = bytes('{"text":"žluťoučký 🐎 \\" {[","model":"old","rest":[{"model":"inner"}]}');
    const scan = scanObject(body);
    const model = scan?.members.get("model");
    expect(model).toBeDefined();
    if (model === undefined) return;
    const changed = Buffer.from(splice(body, [{ start: model.start, end: model.end, text: '"nový"' }])).toString(
      "utf8",
    );
    expect(JSON.parse(changed)).toEqual({ text: 'žluťoučký 🐎 " {[', model: "nový", rest: [{ model: "inner" }] });
  });
});
