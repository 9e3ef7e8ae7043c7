// Media by plain URL for targets that take bytes alone: fetched, put in line. What can't be fetched is an error, never a placeholder (F16).
import { GatewayError, invalid } from "../model/error.ts";
import type { Part, Source } from "../model/message.ts";
import type { ChatRequest } from "../model/request.ts";
import type { WireId } from "../model/wire-id.ts";
import { type MediaFetcher, Unfetched } from "./media-fetch.ts";
import { mediaTypeOf } from "./media-type.ts";

export type InlineOptions = { wire: WireId; target: { dialect: { inlineMedia?: boolean } }; fetch: MediaFetcher };

/** Which kinds of part a wire can't take by URL. */
const needsBytes: Record<WireId, readonly Part["type"][]> = {
  "anthropic-messages": [],
  "openai-responses": ["audio"],
  "openai-chat": ["document", "audio"],
  "gemini-generate": ["image", "document", "audio", "video"],
  "bedrock-converse": ["image", "document", "audio", "video"],
};
const all: readonly Part["type"][] = ["image", "document", "audio", "video"];

/** One call makes no crowd of calls to others, and doesn't fill the memory. */
const mostUrls = 100;
const mostAtOnce = 6;
const mostBytes = 64 * 1024 * 1024;

/** Fetches each URL once, a few at a time, and no more once one has failed. */
const fetcherOf = (fetch: MediaFetcher, signal: AbortSignal): ((url: string) => ReturnType<MediaFetcher>) => {
  const fetched = new Map<string, ReturnType<MediaFetcher>>();
  const waiting: (() => void)[] = [];
  let running = 0;
  let bytes = 0;
  let failed = false;
  const fetchNow = async (url: string): ReturnType<MediaFetcher> => {
    // All are counted before the first is asked.
    await Promise.resolve();
    if (running >= mostAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      if (failed) throw new Unfetched("another one failed");
      if (bytes > mostBytes) throw new Unfetched(`all media together are more than ${mostBytes} bytes`);
      const found = await fetch(url, signal);
      bytes += found.bytes.length;
      return found;
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
  return (url) => {
    const known = fetched.get(url);
    if (known !== undefined) return known;
    if (fetched.size >= mostUrls) {
      failed = true;
      throw new Unfetched(`the call names more than ${mostUrls} URLs`);
    }
    const begun = fetchNow(url);
    fetched.set(url, begun);
    return begun;
  };
};

/**
 * The same request with those media in line, fetched side by side; one that stands in it twice is fetched once. Throws
 * `invalid_request` with the part's path where one can't be had, or where there are too many.
 */
export const inlineMedia = async (
  request: ChatRequest,
  options: InlineOptions,
  signal: AbortSignal,
): Promise<ChatRequest> => {
  const kinds = options.target.dialect.inlineMedia === true ? all : needsBytes[options.wire];
  const wanted = (part: Part): boolean =>
    part.type === "tool-result"
      ? part.parts.some(wanted)
      : kinds.includes(part.type) &&
        "source" in part &&
        part.source.kind === "url" &&
        /^https?:/i.test(part.source.url);
  if (!request.messages.some((message) => message.parts.some(wanted))) return request;

  const fetchOnce = fetcherOf(options.fetch, signal);
  const inline = async (part: Part, path: string): Promise<Part> => {
    if (!wanted(part)) return part;
    if (part.type === "tool-result")
      return {
        ...part,
        parts: await Promise.all(part.parts.map((each, at) => inline(each, `${path}.content[${at}]`))),
      };
    if (!("source" in part) || part.source.kind !== "url") return part;
    try {
      const { bytes, contentType } = await fetchOnce(part.source.url);
      const mediaType = mediaTypeOf(part.type, part.source.mediaType, contentType, bytes);
      if (mediaType === undefined) throw new Unfetched(`what is there is not of the kind ${part.type}`);
      const source: Source = {
        kind: "base64",
        data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64"),
        mediaType,
      };
      return { ...part, source };
    } catch (error) {
      if (signal.aborted || !(error instanceof Unfetched || error instanceof GatewayError)) throw error;
      throw invalid(
        path,
        `the medium at its URL could not be fetched: ${error instanceof Unfetched ? error.message : "there was no answer"}`,
      );
    }
  };
  const messages = await Promise.all(
    request.messages.map(async (message, at) => ({
      ...message,
      parts: await Promise.all(message.parts.map((part, index) => inline(part, `messages[${at}].content[${index}]`))),
    })),
  );
  return { ...request, messages };
};
