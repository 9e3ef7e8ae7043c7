// What a call may use at most, told before it goes out: from its bytes where they will do, from its decoded form where it has media.
import { memberText } from "../http/scan.ts";
import { asObject, type Json, parseJson } from "../model/json.ts";
import type { ClientWireId } from "../model/wire-id.ts";
import type { Demand, DemandTarget } from "../limits/types.ts";
import type { ReadCall } from "./call.ts";
import { mostInputTokens, mostOfBytes, unseenTokens } from "./most.ts";

/** Fields whose bytes say nothing of their tokens, and tools that look up more. */
const unlikeText = [
  "base64",
  "image",
  "inline",
  "file",
  "audio",
  "video",
  "document",
  "container",
  "search",
  "fetch",
  "mcp",
  "rl_context",
  "rlContext",
];
/** What a provider keeps, and the request only names. */
const kept = ["cachedContent", "cached_content", "prompt"];

const memberValue = ({ scan }: ReadCall, name: string): Json => {
  const text = scan === undefined ? undefined : memberText(scan, name);
  return (text === undefined ? null : parseJson(text)) ?? null;
};

/** A body that no scan could take is decoded. */
const decoded = <T>(read: ReadCall, of: (request: ReturnType<ReadCall["request"]>) => T): T | undefined => {
  if (read.scan !== undefined) return undefined;
  try {
    return of(read.request());
  } catch {
    return undefined;
  }
};

const namesWhatIsKept = (read: ReadCall): boolean =>
  kept.some((name) => memberValue(read, name) !== null) ||
  decoded(read, ({ extra }) => kept.some((name) => (extra?.[read.call.wire.id]?.[name] ?? null) !== null)) === true;

const mostInput = (read: ReadCall): number => {
  const { call, request } = read;
  const bytes = Buffer.from(call.body.buffer, call.body.byteOffset, call.body.byteLength);
  const unseen = namesWhatIsKept(read) ? unseenTokens : 0;
  if (call.request === undefined && !unlikeText.some((mark) => bytes.includes(mark)))
    return mostOfBytes(bytes) + unseen;
  try {
    return mostInputTokens(request()) + unseen;
  } catch {
    // What can't be decoded is refused where it must be; a body that passes as it is may still be counted.
    return mostOfBytes(bytes) + unseen;
  }
};

type Fields = { output: readonly string[]; answers: readonly string[] };
/** All names that a host of the wire may go by. */
const fieldsOf: Record<ClientWireId, Fields> = {
  "openai-chat": { output: ["max_completion_tokens", "max_tokens"], answers: ["n", "best_of"] },
  "openai-responses": { output: ["max_output_tokens"], answers: [] },
  "anthropic-messages": { output: ["max_tokens"], answers: [] },
  "gemini-generate": {
    output: ["maxOutputTokens", "max_output_tokens"],
    answers: ["candidateCount", "candidate_count"],
  },
};

/** What a call says under any name of a field. Hosts take numbers in quotes too. */
const said = (read: ReadCall, what: keyof Fields): number[] => {
  const { wire } = read.call;
  const objects: readonly ((name: string) => Json | undefined)[] =
    wire.id === "gemini-generate"
      ? ["generationConfig", "generation_config"].map((config) => {
          const members = asObject(memberValue(read, config));
          return (name: string) => members?.[name];
        })
      : [(name) => memberValue(read, name)];
  return objects
    .flatMap((look) => fieldsOf[wire.id][what].map(look))
    .flatMap((value) => (value === undefined || value === null ? [] : [Math.ceil(Number(value))]));
};

/** The largest counts: which field a host goes by is its own affair. Undefined where none, or what is no limit at all, is said. */
const mostOutput = (read: ReadCall): number | undefined => {
  const limits = said(read, "output");
  const most = limits.length > 0 ? Math.max(...limits) : decoded(read, (request) => request.maxOutputTokens);
  return most === undefined || !limits.every((limit) => limit > 0) || !(most > 0) ? undefined : most;
};

const answersOf = (read: ReadCall): number =>
  Math.max(
    1,
    ...said(read, "answers").filter(Number.isFinite),
    decoded(read, (request) => request.sampling.candidates) ?? 1,
  );

export const demandOf = (read: ReadCall, targets: readonly DemandTarget[]): Demand => ({
  caller: read.call.caller,
  requestId: read.call.invocation.requestId,
  wire: read.call.wire.id,
  operation: "generate",
  model: read.model,
  targets,
  inputTokens: () => mostInput(read),
  outputTokens: () => mostOutput(read),
  answers: () => answersOf(read),
});
