// Annotations of a text and neutral citations, both ways (PROTOCOLS section 11).
import type { ResponseOutputText } from "openai/resources/responses/responses";
import { asNumber, asString, compact, isObject, type Json, type JsonObject } from "../../model/json.ts";
import type { Citation } from "../../model/message.ts";
import { json, wireId } from "./names.ts";

type Annotation = ResponseOutputText["annotations"][number];

export const decodeAnnotation = (annotation: Json): Citation => {
  const native = { wire: wireId, value: annotation } as const;
  if (!isObject(annotation)) return { native };
  return compact<Citation>({
    url: asString(annotation["url"]),
    title: asString(annotation["title"]) ?? asString(annotation["filename"]),
    document: asString(annotation["file_id"]),
    start: asNumber(annotation["start_index"]),
    end: asNumber(annotation["end_index"]),
    native,
  });
};

/** Whether the annotation can be written before the text is whole. */
export const isPlaced = (citation: Citation): boolean =>
  citation.native?.wire === wireId || citation.end !== undefined || citation.url === undefined;

/** `length` is that of the whole text: without offsets all of it is the cited span. */
export const encodeAnnotation = (citation: Citation, length: number): JsonObject => {
  if (citation.native?.wire === wireId && isObject(citation.native.value)) return citation.native.value;
  if (citation.url !== undefined)
    return json({
      type: "url_citation",
      start_index: citation.start ?? 0,
      end_index: citation.end ?? length,
      url: citation.url,
      title: citation.title ?? "",
    } satisfies Annotation);
  const document = citation.document ?? "";
  const index = Number(document);
  return json({
    type: "file_citation",
    file_id: document,
    filename: citation.title ?? "",
    index: document !== "" && Number.isInteger(index) ? index : 0,
  } satisfies Annotation);
};
