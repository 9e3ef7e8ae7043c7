// A call, read from a Gemini client and written for a Gemini provider.
import type { JsonObject } from "../../model/json.ts";
import type { Message } from "../../model/message.ts";
import type { ChatRequest } from "../../model/request.ts";
import type { EncodedRequest, RequestContext, Target } from "../wire.ts";
import { asObject, compact, isObject, unknownFields } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import { decodeConfig, encodeConfig } from "./config.ts";
import { decodeContents, decodeSystem } from "./history.ts";
import { modelFacts, unsignedCallMark } from "./models.ts";
import { asExtra, camel, objectAt, own, stringAt } from "./names.ts";
import type { Reader } from "./parts.ts";
import { encodePart } from "./parts.ts";
import { encodeResult } from "./results.ts";
import { decodeToolChoice, decodeTools, encodeToolConfig, encodeTools } from "./tools.ts";

const known = new Set([
  "model",
  "contents",
  "systemInstruction",
  "tools",
  "toolConfig",
  "generationConfig",
  "serviceTier",
]);

/** The model is in the path (`context.model`); a body's own `model` counts where the path has none. */
export const decodeRequest = (raw: JsonObject, context: RequestContext): ChatRequest => {
  const body = camel(raw);
  const model = (context.model ?? stringAt(body["model"], "model"))?.replace(/^models\//, "");
  if (model === undefined || model === "") throw invalid("model", "required");
  const config = decodeConfig(objectAt(body["generationConfig"], "generationConfig"));
  const { system, others } = decodeSystem(body["systemInstruction"]);
  const { choice, rest } = decodeToolChoice(body["toolConfig"]);
  const labels = asObject(body["labels"]);
  const extra: JsonObject = { ...unknownFields(body, known) };
  if (others.length > 0) extra["systemParts"] = others;
  if (rest !== undefined) extra["toolConfig"] = rest;
  if (config.rest !== undefined) extra["generationConfig"] = config.rest;
  return compact<ChatRequest>({
    model,
    stream: context.stream ?? false,
    system,
    messages: decodeContents(body["contents"]),
    tools: decodeTools(body["tools"]),
    toolChoice: choice,
    output: config.output,
    sampling: config.sampling,
    maxOutputTokens: config.maxOutputTokens,
    reasoning: config.reasoning,
    serviceTier: stringAt(body["serviceTier"], "serviceTier"),
    metadata: labels === undefined ? undefined : { labels },
    extra: asExtra(extra),
  });
};

type Content = { role: "user" | "model"; parts: { native: JsonObject; callId?: string }[]; calls: string[] };

/** An instruction in mid-conversation has no role here: it is text of the user's turn, marked as what it is. */
const systemText = (text: string): JsonObject => ({ text: `<system>\n${text}\n</system>` });

const encodeContents = (
  messages: readonly Message[],
  reader: Reader,
  target: Target,
  dropped: string[],
): JsonObject[] => {
  const facts = modelFacts(target.model);
  const names = new Map<string, string>();
  for (const message of messages)
    for (const part of message.parts) if (part.type === "tool-call") names.set(part.callId, part.name);

  const contents: Content[] = [];
  let instructions: JsonObject[] = [];
  const contentOf = (role: Content["role"]): Content => {
    const last = contents.at(-1);
    if (last?.role === role) return last;
    const content: Content = { role, parts: [], calls: [] };
    contents.push(content);
    return content;
  };
  const flushInstructions = (): void => {
    if (instructions.length === 0) return;
    contentOf("user").parts.push(...instructions.map((native) => ({ native })));
    instructions = [];
  };

  for (const [at, message] of messages.entries()) {
    if (message.role === "system") {
      for (const part of message.parts)
        if (part.type === "text" && part.text !== "") instructions.push(systemText(part.text));
      continue;
    }
    const holdsResults = message.parts.some((part) => part.type === "tool-result");
    // Results must follow their calls at once, so an instruction before them stands after them.
    if (!holdsResults) flushInstructions();
    const content = contentOf(message.role === "assistant" ? "model" : "user");
    const beside: JsonObject[] = [];
    for (const [partAt, part] of message.parts.entries()) {
      if (part.type === "tool-result") {
        const name = part.name ?? names.get(part.callId) ?? "tool";
        const result = encodeResult(part, name, reader, facts.mediaInToolResults);
        content.parts.push({ native: result.native, callId: part.callId });
        beside.push(...result.beside);
        if (result.lost) dropped.push(`messages[${at}].content[${partAt}]`);
        continue;
      }
      const native = encodePart(part, reader);
      if (native !== undefined) {
        content.parts.push({ native });
        if (part.type === "tool-call") {
          if (content.calls.length === 0 && facts.needsSignatures) markUnsigned(native);
          content.calls.push(part.callId);
        }
      } else if (part.type !== "text" && part.type !== "refusal" && part.type !== "reasoning")
        dropped.push(`messages[${at}].content[${partAt}]`);
    }
    content.parts.push(...beside.map((native) => ({ native })));
    flushInstructions();
  }
  flushInstructions();

  const result: JsonObject[] = [];
  let calls: string[] = [];
  for (const content of contents) {
    if (content.parts.length > 0)
      result.push({ role: content.role, parts: inCallOrder(content.parts, calls).map(({ native }) => native) });
    calls = content.calls;
  }
  return result;
};

/** The first call of a turn must be signed for Gemini 3; one that was made elsewhere, or lost its signature on the way, never is (F14). */
const markUnsigned = (call: JsonObject): void => {
  call["thoughtSignature"] ??= unsignedCallMark;
};

/** Results in the order of their calls, in the places where results stand: without ids Gemini matches them by order. */
const inCallOrder = (parts: Content["parts"], calls: readonly string[]): Content["parts"] => {
  const rank = (callId: string | undefined): number => {
    const at = calls.indexOf(callId ?? "");
    return at < 0 ? calls.length : at;
  };
  const results = parts.filter((part) => part.callId !== undefined);
  if (results.length < 2) return parts;
  const sorted = results.toSorted((a, b) => rank(a.callId) - rank(b.callId));
  return parts.map((part) => (part.callId === undefined ? part : (sorted.shift() ?? part)));
};

/** Gemini's own tiers; the others' names for "nothing special" are what it does unasked. */
const tiers = new Set(["standard", "flex", "priority", "unspecified"]);
const unasked = new Set(["auto", "default"]);

const encodeServiceTier = (tier: string, dropped: string[]): string | undefined => {
  if (tiers.has(tier.toLowerCase())) return tier;
  if (!unasked.has(tier)) dropped.push("serviceTier");
  return undefined;
};

/** Without the model, which is in the path. Fields with no place here are named in `dropped` (F18). */
export const encodeRequest = (request: ChatRequest, target: Target): EncodedRequest => {
  const dropped: string[] = [];
  const reader: Reader = { maker: target.maker, client: false, functionIds: target.dialect.functionIds !== false };
  const extra = own(request.extra);
  const { systemParts, toolConfig: _toolConfig, generationConfig: _config, ...rest } = extra ?? {};
  const system: JsonObject[] = [];
  for (const part of request.system) {
    const native = encodePart(part, reader);
    if (native !== undefined) system.push(native);
  }
  if (Array.isArray(systemParts)) for (const part of systemParts) if (isObject(part)) system.push(part);
  const tools = encodeTools(request.tools, modelFacts(target.model), dropped);
  const body = compact<JsonObject>({
    contents: encodeContents(request.messages, reader, target, dropped),
    systemInstruction: system.length > 0 ? { parts: system } : undefined,
    tools: tools.tools.length > 0 ? tools.tools : undefined,
    toolConfig: encodeToolConfig(request, tools, dropped),
    generationConfig: encodeConfig(request, target, dropped),
    serviceTier: request.serviceTier === undefined ? undefined : encodeServiceTier(request.serviceTier, dropped),
    ...rest,
  });
  if (request.verbosity !== undefined) dropped.push("verbosity");
  if (request.metadata?.userId !== undefined) dropped.push("metadata.userId");
  if (request.metadata?.labels !== undefined && rest["labels"] === undefined) dropped.push("metadata.labels");
  for (const name of target.dialect.refuses ?? []) refuse(body, name, dropped);
  return { body, dropped };
};

/** A field that this host does not take, at the top or in `generationConfig`. */
const refuse = (body: JsonObject, name: string, dropped: string[]): void => {
  const config = asObject(body["generationConfig"]);
  for (const owner of [body, config]) {
    if (owner?.[name] === undefined) continue;
    delete owner[name];
    dropped.push(name);
  }
};
