// A request made fit for one target, beyond what its wire's encoder does by itself: foreign state, orphans, names, hosted tools, schemas.
import { GatewayError, invalid } from "../../model/error.ts";
import type { Message, Part } from "../../model/message.ts";
import type { ChatRequest, HostedTool, Tool } from "../../model/request.ts";
import type { JsonObject } from "../../model/json.ts";
import type { WireId } from "../../model/wire-id.ts";
import type { Target } from "../wire.ts";
import { chain, type Restorer } from "./restore.ts";
import { enforceSchema } from "./schema-tool.ts";
import { mapToolNames } from "./tool-names.ts";

export type { Restorer } from "./restore.ts";

/** `dropped` names what the target can't be told (F18); `restore` undoes in the answer what was changed in the request. */
export type Adapted = { request: ChatRequest; dropped: string[]; restore?: Restorer };

export const strictDrops = (dropped: readonly string[]): GatewayError => {
  const first = dropped[0];
  return new GatewayError("unsupported_field", `The target model can't express: ${dropped.join(", ")}.`, first === undefined ? {} : { param: first });
};

/** Hosted tools that several wires have, in each one's plainest form. */
const hostedForms: Record<NonNullable<HostedTool["kind"]>, Partial<Record<WireId, JsonObject>>> = {
  "web-search": {
    "anthropic-messages": { type: "web_search_20250305", name: "web_search" },
    "openai-responses": { type: "web_search" },
    "gemini-generate": { googleSearch: {} },
  },
  "web-fetch": {
    "anthropic-messages": { type: "web_fetch_20250910", name: "web_fetch" },
    "gemini-generate": { urlContext: {} },
  },
  "code-execution": {
    "anthropic-messages": { type: "code_execution_20250825", name: "code_execution" },
    "openai-responses": { type: "code_interpreter", container: { type: "auto" } },
    "gemini-generate": { codeExecution: {} },
  },
};

const adaptTools = (tools: readonly Tool[], wire: WireId, dropped: string[]): Tool[] =>
  tools.flatMap((tool, at): Tool[] => {
    if (tool.type !== "hosted" || tool.wire === wire) return [tool];
    const value = tool.kind === undefined ? undefined : hostedForms[tool.kind][wire];
    if (value === undefined || tool.kind === undefined) {
      dropped.push(`tools[${at}]`);
      return [];
    }
    return [{ type: "hosted", wire, kind: tool.kind, value }];
  });

/** A part as this target may see it; none where nothing is left of it. */
const adaptPart = (part: Part, path: string, wire: WireId, target: Target, dropped: string[]): Part[] => {
  switch (part.type) {
    case "opaque":
      if (part.wire === wire && (part.origin === undefined || part.origin === target.maker)) return [part];
      if (part.text !== undefined && part.text !== "") return [{ type: "text", text: part.text }];
      dropped.push(path);
      return [];
    case "reasoning": {
      const own = part.opaque !== undefined && part.opaque.origin === target.maker;
      if (own) return [part];
      if (part.redacted === true) return [];
      const { opaque: _foreign, id: _id, ...visible } = part;
      // Unsigned thinking is refused by Anthropic (F12), and is nobody else's to replay but a host's whose dialect says so.
      return target.dialect.replayReasoning === undefined || visible.text === "" ? [] : [visible];
    }
    case "text":
    case "image":
    case "tool-call": {
      if (part.opaque === undefined || part.opaque.origin === target.maker) return checkSource(part, path, target);
      const { opaque: _foreign, ...rest } = part;
      return rest.type === "text" && rest.text === "" ? [] : checkSource(rest, path, target);
    }
    case "tool-result":
      return [{ ...part, parts: part.parts.flatMap((each, at) => adaptPart(each, `${path}.content[${at}]`, wire, target, dropped)) }];
    default:
      return checkSource(part, path, target);
  }
};

/** A file's id means nothing to another maker. */
const checkSource = (part: Part, path: string, target: Target): Part[] => {
  if ("source" in part && part.source.kind === "id" && part.source.origin !== target.maker)
    throw invalid(path, `the file is stored with ${part.source.origin}, and the model is served by ${target.provider}: send its bytes or a URL`);
  return [part];
};

/** Calls without a result and results without a call never reach a provider (F51). Calls of the last assistant turn may still be open. */
const closeOrphans = (messages: readonly Message[]): Message[] => {
  const calls = new Set<string>();
  const results = new Set<string>();
  for (const message of messages)
    for (const part of message.parts) {
      if (part.type === "tool-call") calls.add(part.callId);
      else if (part.type === "tool-result") results.add(part.callId);
    }
  const lastAssistant = messages.findLastIndex((message) => message.role === "assistant");
  const openTurn = lastAssistant === messages.length - 1 ? lastAssistant : -1;
  const isWhole = messages.every((message, at) =>
    message.parts.every(
      (part) =>
        (part.type !== "tool-call" || results.has(part.callId) || at === openTurn) && (part.type !== "tool-result" || calls.has(part.callId)),
    ),
  );
  if (isWhole) return [...messages];
  return messages.flatMap((message, at): Message[] => {
    const parts = message.parts.flatMap((part): Part[] => {
      if (part.type === "tool-call" && !results.has(part.callId) && at !== openTurn) return [];
      if (part.type === "tool-result" && !calls.has(part.callId)) return part.parts;
      return [part];
    });
    return parts.length === 0 ? [] : [{ ...message, parts }];
  });
};

export const adapt = (request: ChatRequest, wire: WireId, target: Target): Adapted => {
  const dropped: string[] = [];
  const messages = request.messages.flatMap((message, at): Message[] => {
    const parts = message.parts.flatMap((part, index) => adaptPart(part, `messages[${at}].content[${index}]`, wire, target, dropped));
    // A message that lost all it had says nothing; one that was empty stays what it was.
    return parts.length === 0 && message.parts.length > 0 ? [] : [{ ...message, parts }];
  });
  const fitted: ChatRequest = { ...request, messages: closeOrphans(messages), tools: adaptTools(request.tools, wire, dropped) };
  const enforced = enforceSchema(fitted, wire, target);
  const named = mapToolNames(enforced.request, wire);
  dropped.push(...enforced.dropped);
  const restore = chain([enforced.restore, named.restore].filter((each) => each !== undefined));
  return restore === undefined ? { request: named.request, dropped } : { request: named.request, dropped, restore };
};
