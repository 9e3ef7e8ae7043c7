// Results of client-side tools: `functionResponse`, whose object each client fills in its own way.
import type { Json, JsonObject } from "../../model/json.ts";
import type { Part, ToolResultPart } from "../../model/message.ts";
import { asObject, asString, compact, isObject, parseJson, unknownFields } from "../../model/json.ts";
import { decodeMedia, encodeMedia, isMedia } from "./media.ts";
import { asExtra, camel, isMadeUp, own } from "./names.ts";
import type { Reader } from "./parts.ts";

/** The keys under which clients wrap what is not an object: Google's own, LangChain's, Pydantic's. */
const wrappers = ["output", "result", "return_value", "content"] as const;

const asText = (value: Json | undefined): string =>
  typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);

/** What a `response` object says: a single well-known key is unwrapped, anything else is its own JSON. */
const unwrapResponse = (response: JsonObject): { text: string; isError: boolean } => {
  const keys = Object.keys(response);
  const only = keys[0];
  if (keys.length === 1 && only === "error") return { text: asText(response["error"]), isError: true };
  if (keys.length === 1 && wrappers.some((key) => key === only))
    return { text: asText(response[only ?? ""]), isError: false };
  // Vercel: {name, content}, the name being the tool's.
  if (keys.length === 2 && typeof response["name"] === "string" && "content" in response)
    return { text: asText(response["content"]), isError: false };
  return { text: keys.length === 0 ? "" : JSON.stringify(response), isError: false };
};

const known = new Set(["id", "name", "response", "parts"]);
const knownOfPart = new Set(["functionResponse", "thought"]);

/** `callId` comes from the history: see `matchCalls`. The object itself rides in `extra`, for the same wire. */
export const decodeResult = (part: JsonObject, callId: string): ToolResultPart => {
  const native = camel(asObject(part["functionResponse"]) ?? {});
  const response = asObject(native["response"]);
  const { text, isError } = response === undefined ? { text: "", isError: false } : unwrapResponse(response);
  const parts: Part[] = text === "" ? [] : [{ type: "text", text }];
  const media = Array.isArray(native["parts"]) ? native["parts"].filter(isObject) : [];
  for (const entry of media) parts.push(decodeMedia(camel(entry)));
  const id = asString(native["id"]);
  return compact<ToolResultPart>({
    type: "tool-result",
    callId,
    name: asString(native["name"]),
    parts,
    isError: isError ? true : undefined,
    extra: asExtra(
      compact<JsonObject>({
        ...unknownFields(part, knownOfPart),
        response,
        id: id === undefined || id === callId ? undefined : id,
        fields: unknownFields(native, known),
      }),
    ),
  });
};

const texts = (parts: readonly Part[]): string =>
  parts
    .flatMap((part) => {
      if (part.type === "text" || part.type === "refusal" || part.type === "reasoning") return [part.text];
      if (part.type === "document" && part.source.kind === "text") return [part.source.text];
      return part.type === "opaque" && part.text !== undefined ? [part.text] : [];
    })
    .join("\n");

const encodeResponseObject = (part: ToolResultPart): JsonObject => {
  const text = texts(part.parts);
  const kept = asObject(own(part.extra)?.["response"]);
  // The client's own object, unless the result was changed on the way.
  if (kept !== undefined && unwrapResponse(kept).text === text) return kept;
  const value = /^\s*\{/.test(text) ? parseJson(text) : undefined;
  if (part.isError === true) return { error: isObject(value) ? value : text };
  return isObject(value) ? value : { output: text };
};

export type EncodedResult = {
  native: JsonObject;
  /** Media that the model can't take inside the response; they follow it in the same turn (F15). */
  beside: JsonObject[];
  /** Whether a medium could not be sent at all. */
  lost: boolean;
};

/** `name` is the called function's, which Gemini demands; `mediaInside`: whether the model takes media in the response itself. */
export const encodeResult = (
  part: ToolResultPart,
  name: string,
  reader: Reader,
  mediaInside: boolean,
): EncodedResult => {
  const { response, id: ownId, fields, ...beyond } = own(part.extra) ?? {};
  const media: JsonObject[] = [];
  let lost = false;
  for (const entry of part.parts) {
    if (!isMedia(entry) || entry.source.kind === "text") continue;
    const native = encodeMedia(entry, reader.maker);
    if (native === undefined) lost = true;
    else media.push(native);
  }
  const id = asString(ownId) ?? (isMadeUp(part.callId) || part.callId === "" ? undefined : part.callId);
  const inside = mediaInside || response !== undefined;
  const functionResponse = compact<JsonObject>({
    id: reader.functionIds ? id : undefined,
    name,
    response: encodeResponseObject(part),
    ...asObject(fields),
    parts: inside && media.length > 0 ? media : undefined,
  });
  return { native: { ...beyond, functionResponse }, beside: inside ? [] : media, lost };
};
