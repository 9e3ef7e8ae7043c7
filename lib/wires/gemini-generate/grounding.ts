// Sources of an answer. Gemini counts UTF-8 bytes over all the visible text of a candidate, the model counts UTF-16 in one part.
import type { Json, JsonObject } from "../../model/json.ts";
import type { Citation, TextPart } from "../../model/message.ts";
import { asArray, asNumber, asObject, asString, compact, isObject } from "../../model/json.ts";

/** The UTF-16 offset of a byte offset, at a character's start. */
const toUnits = (text: string, bytes: number): number => {
  let seen = 0;
  let at = 0;
  while (at < text.length && seen < bytes) {
    const code = text.codePointAt(at) ?? 0;
    seen += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    at += code < 0x10000 ? 1 : 2;
  }
  return at;
};

const bytesOf = (text: string): number => Buffer.byteLength(text, "utf8");

/** A visible text part as far as it is known. */
export type GroundedText = { index: number; text: string };

type Span = { index: number; start: number; end: number };

const sliceOf = (text: string, start: number, end: number): { start: number; end: number; words: string } => {
  const from = toUnits(text, start);
  const to = toUnits(text, end);
  return { start: from, end: to, words: text.slice(from, to) };
};

/** Where a segment stands: over the whole text, else in one part, else where its words are found. */
const locate = (segment: JsonObject, texts: readonly GroundedText[]): Span | undefined => {
  const start = asNumber(segment["startIndex"]) ?? 0;
  const end = asNumber(segment["endIndex"]) ?? start;
  const words = asString(segment["text"]);
  let before = 0;
  for (const { index, text } of texts) {
    const size = bytesOf(text);
    if (start >= before && end <= before + size && end > start) {
      const slice = sliceOf(text, start - before, end - before);
      if (words === undefined || words === slice.words) return { index, start: slice.start, end: slice.end };
    }
    before += size;
  }
  if (words === undefined || words === "") return undefined;
  for (const { index, text } of texts) {
    const slice = sliceOf(text, start, end);
    if (slice.words === words) return { index, start: slice.start, end: slice.end };
  }
  for (const { index, text } of texts) {
    const at = text.indexOf(words);
    if (at >= 0) return { index, start: at, end: at + words.length };
  }
  return undefined;
};

/** A grounding chunk is one object under the name of its kind: `web`, `retrievedContext`, `maps`, `image`. */
const sourceOf = (chunk: Json | undefined): Citation => {
  if (!isObject(chunk)) return {};
  const source = Object.values(chunk).find(isObject) ?? {};
  return compact<Citation>({
    url: asString(source["uri"]) ?? asString(source["sourceUri"]),
    title: asString(source["title"]),
    quote: asString(source["text"]),
    document: asString(source["documentName"]) ?? asString(source["fileSearchStore"]),
  });
};

/**
 * The citations in a candidate's metadata whose place is known by now, each once: `told` remembers them.
 * `fields` are the candidate's own, gathered over the stream.
 */
export const citationsIn = (
  fields: JsonObject,
  texts: readonly GroundedText[],
  told: Set<string>,
): { index: number; citation: Citation }[] => {
  const found: { index: number; citation: Citation }[] = [];
  const add = (segment: JsonObject, source: Citation, key: string): void => {
    if (told.has(key)) return;
    const span = locate(segment, texts);
    if (span === undefined) return;
    told.add(key);
    found.push({ index: span.index, citation: { ...source, start: span.start, end: span.end } });
  };
  const grounding = asObject(fields["groundingMetadata"]);
  const chunks = asArray(grounding?.["groundingChunks"]) ?? [];
  for (const support of asArray(grounding?.["groundingSupports"]) ?? []) {
    if (!isObject(support)) continue;
    const segment = asObject(support["segment"]) ?? {};
    for (const at of asArray(support["groundingChunkIndices"]) ?? [])
      if (typeof at === "number")
        add(
          segment,
          sourceOf(chunks[at]),
          `${at}:${asNumber(segment["startIndex"]) ?? 0}:${asNumber(segment["endIndex"]) ?? 0}`,
        );
  }
  for (const citation of asArray(asObject(fields["citationMetadata"])?.["citations"]) ?? []) {
    if (!isObject(citation)) continue;
    const url = asString(citation["uri"]);
    const title = asString(citation["title"]);
    if (url === undefined && title === undefined) continue;
    add(citation, compact<Citation>({ url, title }), JSON.stringify(citation));
  }
  return found;
};

/** Citations of other wires as grounding metadata: fed with the visible text parts in their order. */
export const createGrounder = (): {
  add: (part: { text: string; citations?: TextPart["citations"] }) => void;
  metadata: () => JsonObject | undefined;
} => {
  const chunks: JsonObject[] = [];
  const chunkAt = new Map<string, number>();
  const supports: JsonObject[] = [];
  let before = 0;
  const chunkOf = (citation: Citation): number => {
    const key = `${citation.url ?? ""}\n${citation.title ?? ""}\n${citation.document ?? ""}`;
    const known = chunkAt.get(key);
    if (known !== undefined) return known;
    chunkAt.set(key, chunks.length);
    chunks.push(
      citation.url === undefined
        ? {
            retrievedContext: compact<JsonObject>({ title: citation.title ?? citation.document, text: citation.quote }),
          }
        : { web: compact<JsonObject>({ uri: citation.url, title: citation.title }) },
    );
    return chunks.length - 1;
  };
  return {
    add: ({ text, citations }) => {
      for (const citation of citations ?? []) {
        const start = Math.min(citation.start ?? 0, text.length);
        const end = Math.min(citation.end ?? text.length, text.length);
        const index = chunkOf(citation);
        const words = text.slice(start, end);
        const startIndex = before + bytesOf(text.slice(0, start));
        const segment = { startIndex, endIndex: startIndex + bytesOf(words), text: words };
        const last = supports.at(-1);
        const same = asObject(last?.["segment"]);
        if (last !== undefined && same?.["startIndex"] === startIndex && same["endIndex"] === segment.endIndex)
          last["groundingChunkIndices"] = [...(asArray(last["groundingChunkIndices"]) ?? []), index];
        else supports.push({ segment, groundingChunkIndices: [index] });
      }
      before += bytesOf(text);
    },
    metadata: () => (chunks.length === 0 ? undefined : { groundingChunks: chunks, groundingSupports: supports }),
  };
};
