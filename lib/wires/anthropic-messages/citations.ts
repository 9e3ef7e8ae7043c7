// Citations: this wire's five kinds are kept as they are; those of others become web search results where they have an address.
import { asArray, asNumber, asString, isObject } from "../../model/json.ts";
import type { Json, JsonObject } from "../../model/json.ts";
import type { Citation } from "../../model/message.ts";
import { wire } from "./common.ts";

export const decodeCitation = (value: JsonObject): Citation => {
  const citation: Citation = {};
  const url = asString(value["url"]) ?? addressIn(value["source"]);
  const title = asString(value["title"]) ?? asString(value["document_title"]);
  const quote = asString(value["cited_text"]);
  const document = asString(value["file_id"]) ?? asNumber(value["document_index"])?.toString();
  if (url !== undefined) citation.url = url;
  if (title !== undefined) citation.title = title;
  if (quote !== undefined) citation.quote = quote;
  if (document !== undefined) citation.document = document;
  // One that this encoder made for another wire's citation has an empty index, which Anthropic would refuse.
  if (value["encrypted_index"] !== "") citation.native = { wire, value };
  return citation;
};

/** A search result's source is often an address. */
const addressIn = (source: Json | undefined): string | undefined =>
  typeof source === "string" && /^https?:\/\//.test(source) ? source : undefined;

export const decodeCitations = (value: Json | undefined): Citation[] | undefined => {
  const list = asArray(value)?.filter(isObject);
  return list === undefined || list.length === 0 ? undefined : list.map(decodeCitation);
};

/** For a request: only what this wire made itself. */
export const nativeCitation = (citation: Citation): JsonObject | undefined =>
  citation.native?.wire === wire && isObject(citation.native.value) ? citation.native.value : undefined;

/** For an answer. Undefined where the citation has no address, as every kind of this wire needs one or an index. */
export const encodeCitation = (citation: Citation): JsonObject | undefined =>
  nativeCitation(citation) ??
  (citation.url === undefined
    ? undefined
    : {
        type: "web_search_result_location",
        url: citation.url,
        title: citation.title ?? null,
        cited_text: citation.quote ?? "",
        encrypted_index: "",
      });
