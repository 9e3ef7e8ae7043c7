// What the library is given: what it would stumble over is gone, and a body is read no faster than it is taken.
import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import type { Reply } from "../../../lib/model/call.ts";
import { initOf, webStream, wholeBody } from "../../../functions/azure/response.ts";

const headOf = (reply: Reply) => initOf(reply, wholeBody(reply) ?? new Uint8Array(0), undefined);

describe("an answer's head", () => {
  test("has the length of a whole body", () => {
    expect(headOf({ status: 200, headers: {}, body: "žluť" }).headers).toEqual({ "content-length": "6" });
  });

  test("holds no value that is none to the library", () => {
    const { headers } = headOf({ status: 200, headers: { "x-a": "é\n☕" }, body: "" });
    expect(headers).toMatchObject({ "x-a": "é??" });
    expect(() => new Headers(headers as Record<string, string>)).not.toThrow();
  });

  test.each([
    [99, 502],
    [200, 200],
    [599, 599],
    [999, 502],
  ])("of status %i is sent with %i", (status, sent) => {
    expect(headOf({ status, headers: {}, body: "" }).status).toBe(sent);
  });

  test.each([204, 205, 304])("of status %i has no body", (status) => {
    expect(headOf({ status, headers: {}, body: "text" })).toEqual({ status, headers: {} });
  });

  test("has several cookies, each with what it says", () => {
    const cookies =
      "a=1%20x; Path=/; HttpOnly, b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=5; Secure; SameSite=lax; Domain=x.example";
    expect(headOf({ status: 200, headers: { "set-cookie": cookies }, body: "" }).cookies).toEqual([
      { name: "a", value: "1 x", path: "/", httpOnly: true },
      {
        name: "b",
        value: "2",
        expires: new Date("2026-10-21T07:28:00Z"),
        maxAge: 5,
        secure: true,
        sameSite: "Lax",
        domain: "x.example",
      },
    ]);
  });
});

/** The library's answer, as far as it is asked. */
class FakeResponse extends EventEmitter {
  writableNeedDrain = false;
  destroyed = false;
  headersSent = false;
  flushed = 0;
  flushHeaders(): void {
    this.flushed += 1;
  }
}

const opened = () => {
  const response = new FakeResponse();
  const through = new PassThrough();
  let over = 0;
  const stream = webStream(through, {
    response: response as unknown as ServerResponse,
    over: () => {
      over += 1;
    },
  });
  return { response, through, reader: stream.getReader(), over: () => over };
};

describe("an answer's body", () => {
  test("waits until what was written is taken; the head leaves at once", async () => {
    const { response, through, reader, over } = opened();
    response.writableNeedDrain = true;
    through.write("first");
    let read: unknown;
    const reading = reader.read().then((result) => (read = result));
    await new Promise((resolve) => setImmediate(resolve));
    expect(response.flushed).toBe(1);
    expect(read).toBeUndefined();
    response.writableNeedDrain = false;
    response.emit("drain");
    await reading;
    expect(read).toMatchObject({ done: false });
    through.end();
    expect(await reader.read()).toMatchObject({ done: true });
    expect(over()).toBe(1);
    expect(response.listenerCount("close") + response.listenerCount("drain")).toBe(0);
  });

  test("ends without an error where its caller leaves, and lets its source go", async () => {
    const { response, through, reader, over } = opened();
    const reading = reader.read();
    response.emit("close");
    expect(await reading).toMatchObject({ done: true });
    expect(through.destroyed).toBe(true);
    expect(over()).toBe(1);
  });

  test("lets its source go where the library reads no more, or never did", async () => {
    const cancelled = opened();
    await cancelled.reader.cancel();
    expect(cancelled.through.destroyed).toBe(true);
    const unread = opened();
    unread.response.emit("close");
    await new Promise((resolve) => setImmediate(resolve));
    expect([unread.over(), cancelled.over()]).toEqual([1, 1]);
  });
});
