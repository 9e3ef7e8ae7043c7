// What has been read of a body isn't kept: an answer may be as long as it likes.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { untilEnd } from "../../../functions/shared/first.ts";
import { streamOf } from "../../../functions/shared/body.ts";

setFlagsFromString("--expose_gc");
const collect = runInNewContext("gc") as () => void;

test("a body that is pulled keeps no piece that was read, though its end is far off", async () => {
  const pieces: WeakRef<Uint8Array>[] = [];
  let atLast = 0;
  const cut = Promise.withResolvers<void>();
  const body = async function* (): AsyncGenerator<Uint8Array> {
    for (let sent = 0; sent < 200; sent += 1) {
      const piece = new Uint8Array(64 * 1024);
      pieces.push(new WeakRef(piece));
      yield piece;
      await new Promise((resolve) => setImmediate(resolve));
    }
    collect();
    atLast = pieces.filter((piece) => piece.deref() !== undefined).length;
  };
  const options = { heartbeatMs: 10_000, cut: cut.promise, broken: () => "" };
  let read = 0;
  for await (const piece of streamOf({ body: body() }, options)) read += (piece as Uint8Array).length;
  expect(read).toBe(200 * 64 * 1024);
  expect(atLast).toBeLessThan(20);
  cut.resolve();
});

test("each wait ends with its own work, or with the end of all, once", async () => {
  const end = Promise.withResolvers<"end">();
  const inTime = untilEnd(end.promise);
  await expect(inTime(Promise.resolve(1))).resolves.toBe(1);
  await expect(inTime(Promise.reject(new Error("its own")))).rejects.toThrow("its own");
  const late = Promise.withResolvers<number>();
  const waiting = inTime(late.promise);
  end.resolve("end");
  await expect(waiting).resolves.toBe("end");
  late.reject(new Error("nobody hears it"));
  await expect(inTime(new Promise(() => undefined))).resolves.toBe("end");
});
