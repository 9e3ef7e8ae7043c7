// An answer as the Functions library takes it: a stream that is read no faster than the host takes it, and that never throws.
import type { ServerResponse } from "node:http";
import type { PassThrough } from "node:stream";
import { ReadableStream } from "node:stream/web";
import type { HttpResponseInit } from "@azure/functions";
import { drained } from "../../lib/http/write.ts";
import type { Headers, Reply } from "../../lib/model/call.ts";
import { cookiesOf } from "../shared/cookies.ts";

const noBytes = new Uint8Array(0);

/** WHATWG's `Response` throws for a body with these. */
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

export type StreamOptions = {
  /** The library's own answer: undefined where it can't be told who takes the bytes. */
  response: ServerResponse | undefined;
  /** Called once, however it ends. */
  over: () => void;
};

/** The library writes what it reads and reads on at once: what isn't to lie in this process's memory isn't given to it yet. */
export const webStream = (through: PassThrough, { response, over }: StreamOptions): ReadableStream => {
  const source = through[Symbol.asyncIterator]();
  let begun = false;
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    response?.off("close", leave);
    over();
  };
  // Whoever reads no more lets the body go, and the library's loop ends.
  const leave = (): void => void through.destroy();
  response?.once("close", leave);
  // Where nobody reads at all, this is how it ends.
  through.once("close", end);
  return new ReadableStream(
    {
      pull: async (controller) => {
        try {
          // The head leaves at once, though the first bytes may be far off.
          if (!begun && response?.headersSent === false) response.flushHeaders();
          begun = true;
          if (response?.writableNeedDrain === true) await drained(response);
          const { done, value } = await source.next();
          if (done !== true) return controller.enqueue(value);
        } catch {
          // It was destroyed: nobody hears the rest.
        }
        end();
        controller.close();
      },
      cancel: () => {
        leave();
        end();
      },
    },
    { highWaterMark: 0 },
  );
};

/** What is no header's value to the library would leave the caller without any answer. */
const printable = (value: string): string => value.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, "?");

/** Connection-bound ones are the library's own affair: it leaves them out. */
const headersOf = (given: Headers): Record<string, string> => {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) if (name !== "set-cookie") headers[name] = printable(value);
  return headers;
};

/** A cookie's text as the library takes it: it writes the value encoded. Attributes that it doesn't know are left out. */
const cookieOf = (text: string): NonNullable<HttpResponseInit["cookies"]>[number] => {
  const [pair = "", ...attributes] = text.split(/; */);
  const equals = pair.indexOf("=");
  const cookie: NonNullable<HttpResponseInit["cookies"]>[number] = {
    name: pair.slice(0, equals),
    value: decoded(pair.slice(equals + 1)),
  };
  for (const attribute of attributes) {
    const [name = "", value = ""] = attribute.split("=");
    const lower = name.toLowerCase();
    if (lower === "path") cookie.path = value;
    else if (lower === "domain") cookie.domain = value;
    else if (lower === "max-age") cookie.maxAge = Number(value);
    else if (lower === "expires") cookie.expires = new Date(value);
    else if (lower === "secure") cookie.secure = true;
    else if (lower === "httponly") cookie.httpOnly = true;
    else if (lower === "samesite") cookie.sameSite = sameSites[value.toLowerCase()];
  }
  return cookie;
};

const sameSites: Readonly<Record<string, "Strict" | "Lax" | "None">> = { strict: "Strict", lax: "Lax", none: "None" };

const decoded = (value: string): string => {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
};

/** What there is to send where it needn't be streamed: bytes, as a text would get a content type from the library; none where there may be none. */
export const wholeBody = ({ status, body }: Reply): Uint8Array | undefined => {
  if (bodiless.has(status)) return noBytes;
  if (typeof body === "string") return Buffer.from(body);
  return body instanceof Uint8Array ? body : undefined;
};

export const initOf = (
  reply: Reply,
  body: ReadableStream | Uint8Array,
  response: ServerResponse | undefined,
): HttpResponseInit => {
  const status = reply.status >= 200 && reply.status <= 599 ? reply.status : 502;
  const headers = headersOf(reply.headers);
  // Of an answer to HEAD the length isn't known here, and is not 0.
  if (body instanceof Uint8Array && body.length > 0) headers["content-length"] ??= String(body.length);
  const init: HttpResponseInit = { status, headers, ...(body === noBytes ? {} : { body }) };
  const cookies = reply.headers["set-cookie"];
  if (cookies === undefined) return init;
  const texts = cookiesOf(cookies);
  // As they came where that can be had: the library would write them anew.
  if (response === undefined) init.cookies = texts.map(cookieOf);
  else if (!response.headersSent) response.setHeader("set-cookie", texts);
  return init;
};
