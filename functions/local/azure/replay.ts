// One event from a file, and its answer as it comes: head and errors beside, body out.
import { once } from "node:events";
import { type IncomingMessage, request as openRequest } from "node:http";
import { UsageError } from "../cli/io.ts";
import type { FunctionsHost } from "./host.ts";

/** A request by HTTP. A body that is no text is sent as JSON. */
export type HttpEvent = { method: string; url: string; headers?: Record<string, string>; body?: unknown };

/** A queue's message or a timer, by hand: `{ "input" }` is what `POST /admin/functions/{function}` takes. */
export type RunEvent = { function: string; input?: string };

export type ReplayOptions = {
  /** Takes the body. */
  out: (bytes: Uint8Array) => void;
  /** Takes a line about the answer. */
  say: (line: string) => void;
  /** The client leaves after so many chunks of the body; 0: it stays. */
  dropAfter: number;
};

/** Throws UsageError where it is neither. */
export const readEvent = (event: unknown): HttpEvent | RunEvent => {
  const { url, method, function: name } = (event ?? {}) as Record<string, unknown>;
  if (typeof url === "string" && typeof method === "string") return event as HttpEvent;
  if (typeof name === "string") return event as RunEvent;
  throw new UsageError(`an event has "method" and "url", or "function" and "input"`);
};

const ask = async (host: FunctionsHost, event: HttpEvent, { out, say, dropAfter }: ReplayOptions): Promise<boolean> => {
  const { method, url, headers = {}, body } = event;
  const bytes = body === undefined ? undefined : Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
  const length = bytes === undefined ? {} : { "content-length": String(bytes.length) };
  const sent = openRequest(new URL(url, host.url), { method, headers: { ...headers, ...length }, agent: false });
  sent.end(bytes);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  const lines = Object.entries(answer.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value) => `${name}: ${value}`),
  );
  say([`HTTP ${answer.statusCode}`, ...lines, ""].join("\n"));
  let chunks = 0;
  try {
    for await (const chunk of answer) {
      out(chunk as Buffer);
      chunks += 1;
      if (chunks !== dropAfter) continue;
      say(`The client has left after ${chunks} chunks.`);
      return false;
    }
  } catch {
    say("The answer broke off.");
    return true;
  }
  return (answer.statusCode ?? 500) >= 500;
};

/** True where the function failed. */
export const replay = async (
  host: FunctionsHost,
  event: HttpEvent | RunEvent,
  options: ReplayOptions,
): Promise<boolean> => {
  if ("url" in event) return ask(host, event, options);
  const { error } = await host.run(event.function, event.input);
  return error !== undefined;
};
