// What both transports need.
import type { Headers } from "../model/call.ts";

/** Milliseconds: to connect, until the response headers, of silence between two reads. */
export type TransportTimeouts = { connectMs: number; headersMs: number; idleMs: number };

export const plainHeaders = (raw: Record<string, string | string[] | undefined>): Headers => {
  const headers: Headers = {};
  for (const name in raw) {
    const value = raw[name];
    if (typeof value === "string") headers[name] = value;
    else if (value !== undefined) headers[name] = value.join(", ");
  }
  return headers;
};
