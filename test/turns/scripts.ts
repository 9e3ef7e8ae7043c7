// What a provider may say in one answer, as events: an upstream of any wire is made to say it.
import { GatewayError } from "../../lib/model/error.ts";
import type { PartDelta, StreamEvent } from "../../lib/model/event.ts";
import type { Part } from "../../lib/model/message.ts";
import type { ClientWireId } from "../../lib/model/wire-id.ts";
import { clientWires } from "../../lib/wires/index.ts";

const start: StreamEvent = { type: "response-start", id: "up-1", model: "up" };
const usage = { input: 20, output: 9 };

const part = (index: number, begun: Part, ...deltas: PartDelta[]): StreamEvent[] => [
  { type: "part-start", index, part: begun },
  ...deltas.map((delta): StreamEvent => ({ type: "part-delta", index, delta })),
  { type: "part-end", index },
];

const words = (index: number, ...said: string[]): StreamEvent[] =>
  part(index, { type: "text", text: "" }, ...said.map((text): PartDelta => ({ type: "text", text })));

const call = (index: number, callId: string, name: string, ...said: string[]): StreamEvent[] =>
  part(
    index,
    { type: "tool-call", callId, name, arguments: "" },
    ...said.map((text): PartDelta => ({ type: "arguments", text })),
  );

/** `maker`: whose signature stands on the reasoning. */
export const scripts: Record<string, (maker: string) => StreamEvent[]> = {
  text: () => [
    start,
    ...words(0, "A ", "thread ", "of gold: ", "zwölf Fäden, 織る, 🧵", "\n\nand\r\nmore."),
    { type: "response-end", reason: "end", usage },
  ],
  reasoning: (maker) => [
    start,
    ...part(
      0,
      { type: "reasoning", text: "" },
      { type: "text", text: "Warp first," },
      { type: "text", text: " then weft." },
      { type: "opaque", opaque: { origin: maker, data: "c2lnbmF0dXJlLW9mLXRoZS1tYWtlcg==" } },
    ),
    ...words(1, "Weave ", "it."),
    { type: "response-end", reason: "end", usage: { ...usage, reasoning: 4 } },
  ],
  "parallel tool calls": () => [
    start,
    ...words(0, "Both at once."),
    ...call(1, "call_a", "look", '{"at":', '"warp"}'),
    ...call(2, "call_b", "look", '{"at":"weft",', '"deep":true}'),
    { type: "response-end", reason: "tool-calls", usage },
  ],
  "an error in mid-stream": () => [
    start,
    ...words(0, "It ", "began").slice(0, -1),
    { type: "error", error: new GatewayError("overloaded", "Overloaded") },
  ],
  "the end of the limit": () => [
    start,
    ...words(0, "It has no", " end and"),
    { type: "response-end", reason: "length", usage },
  ],
  "a refusal": () => [
    start,
    ...part(
      0,
      { type: "refusal", text: "" },
      { type: "text", text: "I can't" },
      { type: "text", text: " weave that." },
    ),
    { type: "response-end", reason: "refusal", usage },
  ],
};

/** Frames of an upstream's stream: one text an event; those that say nothing on this wire are left out. */
export const framesOn = (wire: ClientWireId, events: readonly StreamEvent[]): string[] => {
  let ids = 0;
  const encoder = clientWires[wire].encodeEvents({
    request: { model: "up", stream: true, system: [], messages: [], tools: [], sampling: {}, includeUsage: true },
    now: 1_700_000_000_000,
    newId: () => `${(ids += 1)}`.padStart(24, "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8"),
  });
  return [...events.map((event) => encoder.push([event])), encoder.end()].filter((text) => text !== "");
};

/** Whose state each wire holds bare. */
export const makerOf: Record<ClientWireId, string> = {
  "anthropic-messages": "anthropic",
  "openai-chat": "compat",
  "openai-responses": "openai",
  "gemini-generate": "google",
};
