// Calls of the four wires as the suite makes them, and what each of them answers.
import type { ClientWireId } from "../../lib/model/wire-id.ts";
import { clientWires } from "../../lib/wires/index.ts";
import { providerOf, rawWires } from "../support/wires.ts";
import type { Ask } from "./client.ts";
import { key } from "./platform.ts";

export const wireIds = Object.keys(rawWires) as ClientWireId[];

/** The headers of a wire, its key among them. */
export const headersOf = (wire: ClientWireId, withKey = key): Record<string, string> => ({
  "content-type": "application/json",
  ...Object.fromEntries(
    Object.entries(rawWires[wire].headers).map(([name, value]) => [name, value.replace(/fake$/, withKey)]),
  ),
});

export type More = {
  stream?: boolean;
  text?: string;
  /** Asked instead of the wire's own. */
  provider?: string;
  headers?: Record<string, string>;
};

/** A call that passes to the wire's own provider. */
export const callOf = (wire: ClientWireId, model: string, more: More = {}): Ask => {
  const { stream = false, text = "hi", provider = providerOf[wire] } = more;
  const name = `${provider}/${model}`;
  const body = rawWires[wire].body(name, stream, text);
  return {
    method: "POST",
    path: rawWires[wire].path(encodeURIComponent(name), stream),
    headers: { ...headersOf(wire), ...more.headers },
    // Stored answers are turns of their own: these pass.
    body: JSON.stringify(wire === "openai-responses" ? { ...body, store: false } : body),
  };
};

/** A stream without what keeps it alive (F9): that may come between any two events. */
export const withoutHeartbeats = (wire: ClientWireId, text: string): string =>
  text.replaceAll(clientWires[wire].heartbeat, "");

export const heartbeats = (wire: ClientWireId, text: string): number =>
  text.split(clientWires[wire].heartbeat).length - 1;

/** A frame with the text in it, as the wire's providers send it in the middle of a stream. */
export const wordOf = (wire: ClientWireId, word: string): string => {
  const { begin } = rawWires[wire];
  const separator = wire === "gemini-generate" ? "\r\n\r\n" : "\n\n";
  const last = begin.split(separator).findLast((frame) => frame !== "") ?? "";
  return `${last.replaceAll('"Hello"', JSON.stringify(word))}${separator}`;
};
