// What echo answers: a plan of parts from a request, without a clock and without chance.
import type { StopReason } from "../../model/event.ts";
import type { Opaque, Part } from "../../model/message.ts";
import type { ChatRequest, FunctionTool } from "../../model/request.ts";
import type { Usage } from "../../model/usage.ts";
import { invalid } from "../../model/error.ts";
import { unseal } from "../../wires/shared/seal.ts";
import { type Directives, withoutDirectives } from "./directives.ts";
import { schemaInstance } from "./schema-instance.ts";

type PlannedPart =
  | { type: "text"; pieces: string[] }
  | { type: "reasoning"; pieces: string[]; state: string }
  | { type: "tool-call"; callId: string; name: string; pieces: string[]; custom: boolean };
export type Plan = { parts: PlannedPart[]; reason: StopReason; stopSequence?: string; usage: Usage };

const describePart = (part: Part): string => {
  switch (part.type) {
    case "text":
    case "refusal":
      return part.text;
    case "image":
    case "document":
    case "audio":
    case "video": {
      const { source } = part;
      const kind = `${part.type}${source.mediaType === undefined ? "" : ` ${source.mediaType}`}`;
      return source.kind === "base64" ? `[${kind}, ${Math.floor((source.data.length * 3) / 4)} bytes]` : `[${kind}]`;
    }
    case "tool-result":
      return part.parts.map(describePart).join(" ");
    default:
      return "";
  }
};

/** The last user turn in words. */
export const promptOf = (request: ChatRequest): string => {
  const last = request.messages.findLast((message) => message.role === "user");
  return last === undefined
    ? ""
    : last.parts
        .map(describePart)
        .filter((text) => text !== "")
        .join(" ");
};

const tokens = (text: string): number => Math.ceil(text.length / 4);

/** About four characters a token; the same request always counts the same. */
export const inputTokens = (request: ChatRequest): number => {
  const words = [...request.system, ...request.messages.flatMap((message) => message.parts)]
    .map((part) => (part.type === "tool-call" ? part.name + part.arguments : describePart(part)))
    .join(" ");
  return Math.max(
    1,
    tokens(words) +
      request.messages.length * 3 +
      (request.tools.length > 0 ? tokens(JSON.stringify(request.tools)) : 0),
  );
};

const words = (text: string): string[] => text.match(/\s*\S+/g) ?? [];

const hash = (text: string): string => {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return (value >>> 0).toString(36).padStart(7, "0");
};

const lorem = "warp weft shuttle heddle loom thread reed bobbin treadle selvage twill plain".split(" ");

const stateMark = "echo-state-";

/** State of `echo-reasoning`: a check of what it covers, verified when it comes back. */
const stateOf = (text: string): string => stateMark + hash(text);

/** echo's own state in a reasoning part, however often the wires on the way have sealed it; undefined where it is another maker's. */
const ownState = ({ data }: Opaque): string | undefined => {
  const inner = unseal(data);
  if (inner !== undefined) return ownState(inner);
  return data.startsWith(stateMark) ? data : undefined;
};

const verifyState = (request: ChatRequest): void => {
  for (const [at, message] of request.messages.entries())
    for (const part of message.parts) {
      if (part.type !== "reasoning" || part.opaque === undefined || part.text === "") continue;
      const state = ownState(part.opaque);
      if (state !== undefined && state !== stateOf(part.text))
        throw invalid(`messages[${at}]`, "expected a signature that fits its reasoning");
    }
};

/** The functions to call now; none where the turn is an answer. */
const toolsToCall = (
  request: ChatRequest,
  prompt: string,
  named: string | undefined,
): { name: string; tool: FunctionTool | undefined; custom: boolean }[] => {
  const { toolChoice } = request;
  const declared = request.tools.filter((tool) => tool.type !== "hosted");
  if (declared.length === 0 || toolChoice?.type === "none") return [];
  const last = request.messages.at(-1);
  if (last?.parts.some((part) => part.type === "tool-result") === true) return [];
  const forced = named ?? (toolChoice?.type === "tool" ? toolChoice.name : undefined);
  const allowed =
    toolChoice?.type === "subset" ? declared.filter((tool) => toolChoice.names.includes(tool.name)) : declared;
  const chosen =
    forced !== undefined
      ? declared.filter((tool) => tool.name === forced)
      : /parallel/i.test(prompt) && request.parallelToolCalls !== false
        ? allowed.length > 1
          ? allowed
          : [...allowed, ...allowed]
        : allowed.slice(0, 1);
  return chosen.map((tool) => ({
    name: tool.name,
    tool: tool.type === "function" ? tool : undefined,
    custom: tool.type === "custom",
  }));
};

/** JSON in pieces of a few characters, as a model writes it. */
const jsonPieces = (text: string): string[] => text.match(/[\s\S]{1,12}/g) ?? [];

const answerText = (request: ChatRequest, prompt: string, directives: Directives): string => {
  if (directives.long !== undefined)
    return Array.from({ length: directives.long }, (_, at) => lorem[at % lorem.length]).join(" ");
  const results = request.messages.at(-1)?.parts.filter((part) => part.type === "tool-result") ?? [];
  if (results.length > 0) return `The tools answered: ${results.map(describePart).join("; ")}. That is all I know.`;
  const said = withoutDirectives(prompt);
  return said === ""
    ? "Hello! I am echo, the built-in stand-in model of Heddle."
    : `You said: ${said}. I am echo, the built-in stand-in model of Heddle.`;
};

/** The first stop sequence in the text, and the text before it. */
const cutAtStop = (text: string, stops: readonly string[]): { text: string; stop?: string } => {
  let best: { at: number; stop: string } | undefined;
  for (const stop of stops) {
    const at = stop === "" ? -1 : text.indexOf(stop);
    if (at >= 0 && (best === undefined || at < best.at)) best = { at, stop };
  }
  return best === undefined ? { text } : { text: text.slice(0, best.at), stop: best.stop };
};

export const plan = (request: ChatRequest, directives: Directives): Plan => {
  verifyState(request);
  const prompt = promptOf(request);
  const parts: PlannedPart[] = [];
  let reasoning = 0;
  if (
    /reasoning/.test(request.model) ||
    (request.reasoning?.effort !== undefined && request.reasoning.effort !== "none")
  ) {
    const thought = `The user said ${prompt.length} characters. An echo is called for.`;
    parts.push({ type: "reasoning", pieces: words(thought), state: stateOf(thought) });
    reasoning = tokens(thought);
  }
  const calls = toolsToCall(request, prompt, directives.tool);
  let reason: StopReason = "end";
  let stopSequence: string | undefined;
  let output = reasoning;
  if (calls.length > 0) {
    reason = "tool-calls";
    calls.forEach(({ name, tool, custom }, at) => {
      const text = custom
        ? withoutDirectives(prompt)
        : JSON.stringify(tool?.parameters === undefined ? {} : schemaInstance(tool.parameters, prompt));
      output += tokens(name + text);
      parts.push({
        type: "tool-call",
        callId: `call_echo${hash(`${request.messages.length} ${prompt}${name}${at}`)}${at}`,
        name,
        pieces: jsonPieces(text),
        custom,
      });
    });
  } else {
    const format = request.output;
    let text: string;
    if (format?.type === "json-schema") text = JSON.stringify(schemaInstance(format.schema, prompt));
    else if (format?.type === "json") text = JSON.stringify({ echo: withoutDirectives(prompt) });
    else {
      const cut = cutAtStop(answerText(request, prompt, directives), request.sampling.stop ?? []);
      text = cut.text;
      if (cut.stop !== undefined) {
        reason = "stop-sequence";
        stopSequence = cut.stop;
      }
    }
    let pieces = format === undefined ? words(text) : jsonPieces(text);
    const limit = request.maxOutputTokens;
    if (limit !== undefined && tokens(text) + reasoning > limit) {
      const kept: string[] = [];
      let length = 0;
      for (const piece of pieces) {
        if (length + piece.length > Math.max(0, limit - reasoning) * 4) break;
        length += piece.length;
        kept.push(piece);
      }
      pieces = kept;
      reason = "length";
      stopSequence = undefined;
    }
    output += tokens(pieces.join(""));
    parts.push({ type: "text", pieces });
  }
  const usage: Usage = { input: inputTokens(request), output: Math.max(1, output), cachedInput: 0 };
  if (reasoning > 0) usage.reasoning = reasoning;
  return { parts, reason, usage, ...(stopSequence === undefined ? {} : { stopSequence }) };
};
