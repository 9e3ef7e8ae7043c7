// A request made fit for one target, beyond what its wire's encoder does by itself: foreign state, orphans, free-form tools, schemas, names.
import { GatewayError, invalid } from "../../model/error.ts";
import type { Message, Part } from "../../model/message.ts";
import type { ChatRequest } from "../../model/request.ts";
import type { WireId } from "../../model/wire-id.ts";
import type { Target } from "../wire.ts";
import { mapCustomTools } from "./custom-tools.ts";
import { lostFields } from "./lost-fields.ts";
import { chain, type Restorer } from "./restore.ts";
import { enforceSchema } from "./schema-tool.ts";
import { mapToolNames } from "./tool-names.ts";

export type { Restorer } from "./restore.ts";

/** `dropped` names what the target can't be told (F18); `restore` undoes in the answer what was changed in the request. */
export type Adapted = { request: ChatRequest; dropped: string[]; restore?: Restorer };

export const strictDrops = (dropped: readonly string[]): GatewayError => {
  const first = dropped[0];
  return new GatewayError(
    "unsupported_field",
    `The target model can't express: ${dropped.join(", ")}.`,
    first === undefined ? {} : { param: first },
  );
};

/** State of a host that a client called over Chat, whoever that was: an encoder of Chat knows which hosts read it. */
const unsealedChat = "openai-chat";

/** Whether a target may be sent the state of `origin` (F48). */
const mayRead = (origin: string | undefined, wire: WireId, target: Target): boolean =>
  origin === undefined || origin === target.maker || (origin === unsealedChat && wire === unsealedChat);

/** It says nothing beside a call, and providers refuse it (F17). */
const isEmptyText = (part: Part): boolean => part.type === "text" && part.text === "" && part.opaque === undefined;

/** A part as this target may see it; none where nothing is left of it. */
const adaptPart = (part: Part, path: string, wire: WireId, target: Target, dropped: string[]): Part[] => {
  switch (part.type) {
    case "opaque":
      if (part.wire === wire && mayRead(part.origin, wire, target)) return [part];
      if (part.text !== undefined && part.text !== "") return [{ type: "text", text: part.text }];
      dropped.push(path);
      return [];
    case "reasoning": {
      if (part.opaque !== undefined && mayRead(part.opaque.origin, wire, target)) return [part];
      if (part.redacted === true) return [];
      const { opaque: _foreign, id: _id, ...visible } = part;
      // Unsigned thinking is refused by Anthropic (F12), and is nobody else's to replay but a host's whose dialect says so.
      return target.dialect.replayReasoning === undefined || visible.text === "" ? [] : [visible];
    }
    case "text":
    case "image":
    case "tool-call": {
      if (part.opaque === undefined || mayRead(part.opaque.origin, wire, target))
        return checkSource(part, path, target);
      const { opaque: _foreign, ...rest } = part;
      return rest.type === "text" && rest.text === "" ? [] : checkSource(rest, path, target);
    }
    case "tool-result":
      return [
        {
          ...part,
          parts: part.parts.flatMap((each, at) => adaptPart(each, `${path}.content[${at}]`, wire, target, dropped)),
        },
      ];
    default:
      return checkSource(part, path, target);
  }
};

/** A file's id means nothing to another maker. */
const checkSource = (part: Part, path: string, target: Target): Part[] => {
  if ("source" in part && part.source.kind === "id" && part.source.origin !== target.maker)
    throw invalid(
      path,
      `the file is stored with ${part.source.origin}, and the model is served by ${target.provider}: send its bytes or a URL`,
    );
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
  if (calls.size === 0 && results.size === 0) return [...messages];
  const lastAssistant = messages.findLastIndex((message) => message.role === "assistant");
  const openTurn = lastAssistant === messages.length - 1 ? lastAssistant : -1;
  const isWhole = messages.every((message, at) =>
    message.parts.every(
      (part) =>
        (part.type !== "tool-call" || results.has(part.callId) || at === openTurn) &&
        (part.type !== "tool-result" || calls.has(part.callId)),
    ),
  );
  if (isWhole) return [...messages];
  return messages.flatMap((message, at): Message[] => {
    const parts = message.parts.flatMap((part): Part[] => {
      if (part.type === "tool-call" && !results.has(part.callId) && at !== openTurn) return [];
      if (part.type === "tool-result" && !calls.has(part.callId)) return part.parts;
      return [part];
    });
    // Thoughts about a call that is gone say nothing by themselves.
    const isEmpty = parts.length < message.parts.length && parts.every((part) => part.type === "reasoning");
    return isEmpty ? [] : [{ ...message, parts }];
  });
};

export const adapt = (request: ChatRequest, wire: WireId, target: Target): Adapted => {
  const dropped = lostFields(request, wire);
  const messages = request.messages.flatMap((message, at): Message[] => {
    const parts = message.parts.flatMap((part, index) =>
      message.role === "assistant" && isEmptyText(part)
        ? []
        : adaptPart(part, `messages[${at}].content[${index}]`, wire, target, dropped),
    );
    // A message that lost all it had says nothing; one that was empty stays what it was.
    return parts.length === 0 && message.parts.length > 0 ? [] : [{ ...message, parts }];
  });
  const custom = mapCustomTools({ ...request, messages: closeOrphans(messages) }, wire, target);
  const enforced = enforceSchema(custom.request, wire, target);
  const named = mapToolNames(enforced.request, wire);
  dropped.push(...custom.dropped, ...enforced.dropped);
  const restore = chain([custom.restore, enforced.restore, named.restore].filter((each) => each !== undefined));
  return restore === undefined ? { request: named.request, dropped } : { request: named.request, dropped, restore };
};
