// Annotations of a message and neutral citations, both ways (PROTOCOLS section 11). Here offsets count over the whole message text.
import type { ChatCompletionMessage } from "openai/resources/chat/completions";
import { asNumber, asObject, asString, compact, isObject, type Json, type JsonObject } from "../../model/json.ts";
import type { Citation } from "../../model/message.ts";
import { json, objects, wireId } from "./names.ts";

/** Offsets are those of a message whose text begins `base` characters before the part. */
export const decodeAnnotations = (value: Json | undefined, base = 0): Citation[] =>
  objects(value).map((annotation) => {
    const cited = asObject(annotation["url_citation"]) ?? {};
    const start = asNumber(cited["start_index"]);
    const end = asNumber(cited["end_index"]);
    return compact<Citation>({
      url: asString(cited["url"]),
      title: asString(cited["title"]),
      quote: asString(cited["content"]),
      start: start === undefined ? undefined : Math.max(0, start - base),
      end: end === undefined ? undefined : Math.max(0, end - base),
      native: { wire: wireId, value: annotation },
    });
  });

/** `base`: where the part's text begins in the message; `length`: of that text, the cited span where none is told. Undefined where there is no address. */
export const encodeAnnotation = (citation: Citation, base: number, length: number): JsonObject | undefined => {
  const native = citation.native?.wire === wireId ? citation.native.value : undefined;
  if (isObject(native) && !isObject(native["url_citation"])) return native;
  const raw = isObject(native) ? asObject(native["url_citation"]) : undefined;
  if (citation.url === undefined && raw === undefined) return undefined;
  const cited = {
    start_index: base + (citation.start ?? 0),
    end_index: base + (citation.end ?? length),
    url: citation.url ?? "",
    title: citation.title ?? "",
  } satisfies ChatCompletionMessage.Annotation.URLCitation;
  const quote: JsonObject = citation.quote === undefined || raw !== undefined ? {} : { content: citation.quote };
  return json({ type: "url_citation", url_citation: { ...raw, ...cited, ...quote } });
};
