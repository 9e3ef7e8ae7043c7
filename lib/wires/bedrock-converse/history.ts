// Messages in Bedrock's order: user first, then by turns, results before anything else in the turn that answers a call.
import type { Json, JsonObject } from "../../model/json.ts";
import type { Message, Part, TextPart } from "../../model/message.ts";
import { invalid } from "../../model/error.ts";
import { compact, isObject, unknownFields } from "../../model/json.ts";
import { cacheHintOf, decodeBlocks, type Reader } from "./content.ts";
import { asExtra, listAt, own } from "./names.ts";
import { cachePoint, encodeContentPart, type Writer } from "./parts.ts";
import { caches } from "./models.ts";

const knownOfMessage = new Set(["role", "content"]);

export const decodeMessages = (value: Json | undefined, maker: string): Message[] =>
  listAt(value, "messages").map((entry, at) => {
    const path = `messages[${at}]`;
    if (!isObject(entry)) throw invalid(path, "expected a message");
    const role = entry["role"];
    if (role !== "user" && role !== "assistant" && role !== "system")
      throw invalid(`${path}.role`, "expected user or assistant");
    const reader: Reader = { maker, role, strict: true };
    return compact<Message>({
      role,
      parts: decodeBlocks(listAt(entry["content"], `${path}.content`), reader, `${path}.content`),
      extra: asExtra(unknownFields(entry, knownOfMessage)),
    });
  });

/** System blocks that are no plain text ride in `extra.block` of a text part that says the same. */
export const decodeSystem = (value: Json | undefined): TextPart[] => {
  const parts: TextPart[] = [];
  for (const [at, entry] of listAt(value, "system").entries()) {
    if (!isObject(entry)) throw invalid(`system[${at}]`, "expected a system block");
    const hint = cacheHintOf(entry);
    const last = parts.at(-1);
    if (hint !== undefined && last !== undefined && last.cache === undefined) {
      last.cache = hint;
      continue;
    }
    const [part] = decodeBlocks([entry], { maker: "", role: "system", strict: true }, `system[${at}]`);
    if (part?.type === "text") parts.push(part);
    else
      parts.push(
        compact<TextPart>({
          type: "text",
          text: part?.type === "opaque" ? (part.text ?? "") : "",
          extra: asExtra({ guard: entry }),
        }),
      );
  }
  return parts;
};

export const encodeSystem = (system: readonly TextPart[], writer: Writer): JsonObject[] =>
  system.flatMap((part, at) => {
    const native = own(part.extra)?.["guard"];
    const path = `system[${at}]`;
    if (!isObject(native)) return encodeContentPart(part, writer, path);
    return part.cache === undefined ? [native] : [native, cachePoint(part.cache.ttl, writer.family)];
  });

type Turn = { role: "user" | "assistant"; content: JsonObject[]; rest: JsonObject };

const has = (block: JsonObject, kind: string): boolean => block[kind] !== undefined;

/** Bedrock knows instructions only at the start: one in mid-conversation is told to the user's turn, and marked as what it is. */
const asUserText = (blocks: readonly JsonObject[]): JsonObject[] =>
  blocks.map((block) =>
    typeof block["text"] === "string" ? { ...block, text: `<system>\n${block["text"]}\n</system>` } : block,
  );

const appendTurn = (turns: Turn[], role: Turn["role"], content: JsonObject[], rest: JsonObject): void => {
  const last = turns.at(-1);
  if (last?.role === role) {
    last.content.push(...content);
    Object.assign(last.rest, rest);
  } else turns.push({ role, content, rest });
};

/** The results of the calls just made come first in the turn; cache points keep to the block they follow. */
const resultsFirst = (content: readonly JsonObject[]): JsonObject[] => {
  const groups: JsonObject[][] = [];
  for (const block of content) {
    const last = groups.at(-1);
    if (has(block, "cachePoint") && last !== undefined) last.push(block);
    else groups.push([block]);
  }
  const isResult = (group: JsonObject[]): boolean => group[0] !== undefined && has(group[0], "toolResult");
  return [...groups.filter(isResult), ...groups.filter((group) => !isResult(group))].flat();
};

/** A document may not stand without a text beside it: its own name is true, and says nothing new. */
const withText = (content: JsonObject[]): JsonObject[] => {
  const document = content.find((block) => has(block, "document"))?.["document"];
  if (!isObject(document) || content.some((block) => has(block, "text") || has(block, "guardContent"))) return content;
  return [...content, { text: typeof document["name"] === "string" ? document["name"] : "document" }];
};

/** The model must not see a turn before the user's first: an opening of the assistant gets this one before it. */
const opening: JsonObject = { text: "(The assistant speaks first.)" };

export const encodeMessages = (messages: readonly Message[], writer: Writer): JsonObject[] => {
  const turns: Turn[] = [];
  for (const [at, message] of messages.entries()) {
    const path = `messages[${at}]`;
    const content = message.parts.flatMap((part: Part, partAt) =>
      encodeContentPart(part, writer, `${path}.content[${partAt}]`),
    );
    if (content.length === 0) continue;
    if (message.name !== undefined) writer.drop(`${path}.name`);
    const rest = { ...own(message.extra) };
    if (message.role === "system") appendTurn(turns, "user", asUserText(content), rest);
    else appendTurn(turns, message.role, content, rest);
  }
  if (turns[0]?.role === "assistant") turns.unshift({ role: "user", content: [opening], rest: {} });
  return turns.map(({ role, content, rest }) =>
    Object.assign(rest, { role, content: role === "user" ? withText(resultsFirst(content)) : content }),
  );
};

/** A hint for the request as a whole: all of the conversation so far may be cached. */
export const cacheLast = (messages: JsonObject[], ttl: string | undefined, writer: Writer): void => {
  const content = messages.at(-1)?.["content"];
  const last = Array.isArray(content) ? content.at(-1) : undefined;
  if (!caches(writer.family) || !Array.isArray(content)) writer.drop("cache");
  else if (!isObject(last) || !has(last, "cachePoint")) content.push(cachePoint(ttl, writer.family));
};

/** The names of all tools that were called in the history. */
export const calledNames = (messages: readonly Message[]): string[] => [
  ...new Set(
    messages.flatMap((message) => message.parts.flatMap((part) => (part.type === "tool-call" ? [part.name] : []))),
  ),
];

export const hasResults = (messages: readonly Message[]): boolean =>
  messages.some((message) => message.parts.some((part) => part.type === "tool-result"));
