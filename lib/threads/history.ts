// The history as one provider may see it: what others keep to themselves stays behind, and every call has its result (F12, F48, F51).
import { compact } from "../model/json.ts";
import type { Message, Part, ToolCallPart, ToolResultPart } from "../model/message.ts";
import { visibleParts } from "./closing.ts";
import type { StoredMessage } from "./message-items.ts";

/** What a model is told of a call that was never answered. */
const unanswered = "The call was not carried out.";

/** A part without what only its maker can read. `own`: the maker is the one asked. */
const forMaker = (part: Part, own: boolean, maker: string): Part[] => {
  switch (part.type) {
    case "opaque":
      // What a client wrote itself has no origin: its wire takes it or drops it.
      if (part.origin === undefined || part.origin === maker) return [part];
      return part.text === undefined || part.text === "" ? [] : [{ type: "text", text: part.text }];
    case "reasoning":
      if (part.opaque !== undefined && part.opaque.origin === maker) return [part];
      if (part.redacted === true || part.text === "") return [];
      return [withoutForeign(part, own)];
    case "tool-result":
      return [{ ...part, parts: part.parts.flatMap((each) => forMaker(each, own, maker)) }];
    case "text":
    case "image":
    case "tool-call": {
      if (part.opaque === undefined || part.opaque.origin === maker) return [own ? part : withoutId(part)];
      const rest = withoutForeign(part, own);
      return rest.type === "text" && rest.text === "" ? [] : [rest];
    }
    default:
      return [own ? part : withoutId(part)];
  }
};

/** Ids of blocks and items mean something only to the service that gave them. */
const withoutId = <T extends Part>(part: T): T => {
  if (part.id === undefined) return part;
  const { id: _id, ...rest } = part;
  return rest as T;
};

const withoutForeign = <T extends Part & { opaque?: unknown }>(part: T, own: boolean): T => {
  const { opaque: _opaque, ...rest } = part;
  return own ? (rest as T) : withoutId(rest as T);
};

/** `id` and `extra` of a message are of the wire that wrote it; its encoder alone reads `extra`. */
const visibleMessage = ({ message, maker: madeBy, partial }: StoredMessage, maker: string): Message => {
  const own = madeBy === undefined || madeBy === maker;
  const { id: _id, ...rest } = message;
  const parts = (
    partial === true ? visibleParts(message.parts).filter((part) => part.type !== "reasoning") : message.parts
  ).flatMap((part) => forMaker(part, own, maker));
  return { ...(own ? message : rest), parts };
};

/** One round: what the model said (perhaps in several messages), then what it was answered. */
type Round = { said: Message[]; heard: Message[] };

const roundsOf = (messages: readonly Message[]): Round[] => {
  const rounds: Round[] = [{ said: [], heard: [] }];
  for (const message of messages) {
    let round = rounds.at(-1);
    if (message.role === "assistant" && round !== undefined && round.heard.length > 0)
      rounds.push((round = { said: [], heard: [] }));
    if (message.role === "assistant") round?.said.push(message);
    else round?.heard.push(message);
  }
  return rounds;
};

const noResult = (call: ToolCallPart): ToolResultPart =>
  compact<ToolResultPart>({
    type: "tool-result",
    callId: call.callId,
    name: call.name,
    custom: call.custom,
    isError: true,
    parts: [{ type: "text", text: unanswered }],
  });

/** Results of a round's calls come right after them, one for each; results of no call go. */
const repair = ({ said, heard }: Round, isLast: boolean): Message[] => {
  const calls = said.flatMap((message) => message.parts.flatMap((part) => (part.type === "tool-call" ? [part] : [])));
  // Calls that end the history are still to be answered.
  if (calls.length > 0 && heard.length === 0 && isLast) return [...said];
  const open = new Map(calls.map((call) => [call.callId, call]));
  const answers: ToolResultPart[] = [];
  for (const message of heard)
    for (const part of message.parts) if (part.type === "tool-result" && open.delete(part.callId)) answers.push(part);
  for (const call of open.values()) answers.push(noResult(call));
  const [first, ...others] = heard;
  // A message of results stays where it is, as it is if nothing is wrong: what was sent before is sent the same way again.
  const opening: Message | undefined =
    first?.role === "user"
      ? { ...first, parts: [...answers, ...withoutResults(first).parts] }
      : answers.length > 0
        ? { role: "user", parts: answers }
        : undefined;
  const rest = (first?.role === "user" ? others : heard).map(withoutResults);
  return [...said, ...(opening === undefined ? [] : [opening]), ...rest];
};

const withoutResults = (message: Message): Message =>
  message.parts.some((part) => part.type === "tool-result")
    ? { ...message, parts: message.parts.filter((part) => part.type !== "tool-result") }
    : message;

/** Two calls of one id in a round (services without ids of their own): the later of them is the one that was meant. */
const uniqueCalls = (messages: readonly Message[]): Message[] => {
  const seen = new Set<string>();
  const kept: Message[] = [];
  for (const message of messages.toReversed()) {
    const parts = message.parts.toReversed().filter((part) => {
      if (part.type !== "tool-call") return true;
      const isNew = !seen.has(part.callId);
      seen.add(part.callId);
      return isNew;
    });
    kept.push({ ...message, parts: parts.toReversed() });
  }
  return kept.toReversed();
};

/** Messages of a path, oldest first, as `maker` may be sent them. Valid for any provider: calls and results are in pairs. */
export const providerHistory = (path: readonly StoredMessage[], maker: string): Message[] => {
  const messages = path
    .filter((stored) => stored.deleted !== true)
    .map((stored) => visibleMessage(stored, maker))
    .filter((message) => message.parts.length > 0);
  const rounds = roundsOf(messages);
  return rounds
    .flatMap(({ said, heard }, at) => repair({ said: uniqueCalls(said), heard }, at === rounds.length - 1))
    .filter((message) => message.parts.length > 0);
};
