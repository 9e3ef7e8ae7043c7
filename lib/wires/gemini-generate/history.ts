// `contents` read: roles, calls without ids matched with their results, chunks of one answer joined again.
import type { Json, JsonObject } from "../../model/json.ts";
import type { Message, Part, TextPart } from "../../model/message.ts";
import { asObject, asString, compact, isObject, unknownFields } from "../../model/json.ts";
import { invalid } from "../../model/error.ts";
import { asExtra, camel, isAbsent, listAt, makeCallId, nativeOrigin } from "./names.ts";
import type { Author } from "./parts.ts";
import { decodePart } from "./parts.ts";
import { decodeResult } from "./results.ts";

const client: Author = { maker: nativeOrigin, client: true };

/** `function` is the old role of results. */
const roles: Record<string, Message["role"]> = { user: "user", function: "user", model: "assistant" };

const isPlain = (part: Part): boolean => part.extra === undefined && part.cache === undefined;

/**
 * SDK chats keep every chunk of a streamed answer as a content of its own: their texts are one text again. A thought and the
 * foreign signature that came after it are one thought; Google's own signatures stay with the very part they came in.
 */
const append = (parts: Part[], part: Part, chunkBorder: boolean): void => {
  const last = parts.at(-1);
  if (last !== undefined && isPlain(last) && isPlain(part)) {
    if (last.type === "text" && part.type === "text" && chunkBorder) {
      if (last.opaque === undefined && part.opaque === undefined) {
        last.text += part.text;
        return;
      }
    } else if (last.type === "reasoning" && part.type === "reasoning" && last.opaque === undefined) {
      const foreign = part.opaque !== undefined && part.opaque.origin !== nativeOrigin;
      if (part.redacted !== true && (foreign || (chunkBorder && part.opaque === undefined))) {
        parts[parts.length - 1] = { ...part, text: last.text + part.text };
        return;
      }
    }
  }
  parts.push(part);
};

/** Calls that wait for their result, the oldest first. */
type Pending = { callId: string; name: string; own: boolean }[];

/** By id, else by name in order, as Gemini's clients may send no ids. */
const take = (pending: Pending, id: string | undefined, name: string): string | undefined => {
  let at = id === undefined ? -1 : pending.findIndex((call) => call.callId === id);
  if (at < 0) at = pending.findIndex((call) => call.name === name && !(call.own && id !== undefined));
  return at < 0 ? undefined : pending.splice(at, 1)[0]?.callId;
};

const partsOf = (content: JsonObject, param: string): JsonObject[] =>
  listAt(content["parts"], `${param}.parts`).map((part, at) => {
    if (typeof part === "string") return { text: part };
    if (!isObject(part)) throw invalid(`${param}.parts[${at}]`, "expected a part");
    const native = camel(part);
    if (!isAbsent(native["text"]) && typeof native["text"] !== "string")
      throw invalid(`${param}.parts[${at}].text`, "expected a string");
    return native;
  });

const knownOfContent = new Set(["role", "parts"]);

/** A text alone, one content, or a list of them. */
const contentsOf = (value: Json | undefined): JsonObject[] => {
  if (typeof value === "string") return [{ role: "user", parts: [{ text: value }] }];
  if (isAbsent(value)) throw invalid("contents", "required: an array of contents");
  return listAt(value, "contents").map((entry, at) => {
    if (typeof entry === "string") return { role: "user", parts: [{ text: entry }] };
    if (!isObject(entry)) throw invalid(`contents[${at}]`, "expected a content");
    return entry;
  });
};

export const decodeContents = (value: Json | undefined): Message[] => {
  const messages: Message[] = [];
  const pending: Pending = [];
  for (const [at, content] of contentsOf(value).entries()) {
    const param = `contents[${at}]`;
    const roleName = isAbsent(content["role"]) || content["role"] === "" ? "user" : content["role"];
    const role = typeof roleName === "string" ? roles[roleName] : undefined;
    if (role === undefined) throw invalid(`${param}.role`, "expected user or model");
    const last = messages.at(-1);
    const extra = asExtra(unknownFields(content, knownOfContent));
    const joins = role === "assistant" && last?.role === "assistant" && extra === undefined;
    const message: Message = joins ? last : compact<Message>({ role, parts: [], extra });
    if (!joins) messages.push(message);
    for (const [partAt, native] of partsOf(content, param).entries()) {
      const response = asObject(native["functionResponse"]);
      if (response !== undefined && role === "user") {
        const id = asString(response["id"]);
        const name = asString(response["name"]) ?? "";
        const callId = take(pending, id, name) ?? id ?? makeCallId(name, `${at}_${partAt}`);
        message.parts.push(decodeResult(native, callId));
        continue;
      }
      const part = decodePart(native, client, (name, args) => makeCallId(`${name}\n${args}`, `${at}_${partAt}`));
      if (part.type === "tool-call") {
        const id = asString(camel(asObject(native["functionCall"]) ?? {})["id"]);
        pending.push({ callId: part.callId, name: part.name, own: id !== undefined && id !== "" });
      }
      append(message.parts, part, joins && partAt === 0);
    }
  }
  return messages;
};

/** `systemInstruction`: a text, a content, its parts or one part. What is not text comes back beside. */
export const decodeSystem = (value: Json | undefined): { system: TextPart[]; others: JsonObject[] } => {
  const system: TextPart[] = [];
  const others: JsonObject[] = [];
  if (isAbsent(value)) return { system, others };
  const param = "systemInstruction";
  const isContent = isObject(value) && ("parts" in value || "role" in value);
  const content = typeof value === "string" ? { parts: [{ text: value }] } : isContent ? value : { parts: value };
  for (const native of partsOf(content, param)) {
    const part = decodePart(native, client, () => "");
    if (part.type === "text") system.push(part);
    else others.push(native);
  }
  return { system, others };
};
