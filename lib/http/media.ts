// Media by plain URL for targets that take bytes alone: fetched, guarded, put in line. What can't be fetched is an error, never a placeholder (F16).
import { GatewayError, invalid } from "../model/error.ts";
import type { Part, Source } from "../model/message.ts";
import type { ChatRequest } from "../model/request.ts";
import type { WireId } from "../model/wire-id.ts";
import { readAll, type Transport } from "./transport.ts";

/** Gives the bytes behind a URL. Throws with a reason fit for the caller. */
export type MediaFetcher = (url: string, signal: AbortSignal) => Promise<{ bytes: Uint8Array; mediaType: string }>;

export type InlineOptions = { wire: WireId; target: { dialect: { inlineMedia?: boolean } }; fetch: MediaFetcher };

const maxBytes = 20 * 1024 * 1024;
const timeoutMs = 10_000;
const maxRedirects = 5;

/** Which kinds of part a wire can't take by URL. */
const needsBytes: Record<WireId, readonly Part["type"][]> = {
  "anthropic-messages": [],
  "openai-responses": [],
  "openai-chat": ["document"],
  "gemini-generate": ["image", "document", "audio", "video"],
  "bedrock-converse": ["image", "document", "audio", "video"],
};
const all: readonly Part["type"][] = ["image", "document", "audio", "video"];

/** The same request with those media in line, fetched side by side. */
export const inlineMedia = async (request: ChatRequest, options: InlineOptions, signal: AbortSignal): Promise<ChatRequest> => {
  const kinds = options.target.dialect.inlineMedia === true ? all : needsBytes[options.wire];
  const wanted = (part: Part): boolean =>
    part.type === "tool-result" ? part.parts.some(wanted) : kinds.includes(part.type) && "source" in part && part.source.kind === "url";
  if (!request.messages.some((message) => message.parts.some(wanted))) return request;

  const inline = async (part: Part, path: string): Promise<Part> => {
    if (!wanted(part)) return part;
    if (part.type === "tool-result")
      return { ...part, parts: await Promise.all(part.parts.map((each, at) => inline(each, `${path}.content[${at}]`))) };
    if (!("source" in part) || part.source.kind !== "url") return part;
    try {
      const { bytes, mediaType } = await options.fetch(part.source.url, signal);
      const source: Source = { kind: "base64", data: Buffer.from(bytes).toString("base64"), mediaType: part.source.mediaType ?? mediaType };
      return { ...part, source };
    } catch (error) {
      if (signal.aborted) throw error;
      throw invalid(path, `the medium at its URL could not be fetched (${error instanceof GatewayError ? error.message : "no answer"})`);
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

const v4Private =
  /^(?:0\.|10\.|127\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.|192\.168\.|192\.0\.0\.|192\.0\.2\.|198\.1[89]\.|198\.51\.100\.|203\.0\.113\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|2(?:2[4-9]|[34]\d|5[0-5])\.)/;

/** Addresses that are nobody's outside this network: loopback, private, link-local, metadata, mapped and translated forms of them. */
export const isPrivateAddress = (address: string): boolean => {
  const plain = address.toLowerCase().replace(/%.*$/, "");
  if (!plain.includes(":")) return v4Private.test(plain);
  const mapped = /^(?:::ffff:|64:ff9b::)(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1];
  if (mapped !== undefined) return v4Private.test(mapped);
  // Whatever else embeds an IPv4 address, and every range that is not global unicast.
  return !/^[23]/.test(plain) || plain.startsWith("2001:db8") || plain.startsWith("2002:") || plain.startsWith("2001:0:") || plain.startsWith("2001::");
};

const refused = (why: string): GatewayError => new GatewayError("invalid_request", why);

/** Every address a host name has must be public. The check and the connection look the name up apart: see docs/decisions/0006. */
const checkHost = async (host: string): Promise<void> => {
  const { isIP } = process.getBuiltinModule("node:net");
  const bare = host.replace(/^\[|\]$/g, "");
  if (isIP(bare) !== 0) {
    if (isPrivateAddress(bare)) throw refused("its address is not public");
    return;
  }
  let addresses: { address: string }[];
  try {
    addresses = await process.getBuiltinModule("node:dns/promises").lookup(bare, { all: true });
  } catch {
    throw refused("its host was not found");
  }
  if (addresses.length === 0 || addresses.some(({ address }) => isPrivateAddress(address))) throw refused("its address is not public");
};

export type MediaFetchOptions = {
  /** Lets private addresses through: for tests and development. */
  allowPrivate?: boolean;
};

export const createMediaFetcher =
  (transport: Transport, options: MediaFetchOptions = {}): MediaFetcher =>
  async (first, outer) => {
    const signal = AbortSignal.any([outer, AbortSignal.timeout(timeoutMs)]);
    let url = first;
    for (let hop = 0; hop <= maxRedirects; hop += 1) {
      const parsed = URL.canParse(url) ? new URL(url) : undefined;
      if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) throw refused("only http and https URLs can be fetched");
      if (parsed.username !== "" || parsed.password !== "") throw refused("URLs with credentials are not fetched");
      if (options.allowPrivate !== true) await checkHost(parsed.hostname);
      const response = await transport.send({ method: "GET", url: parsed.href, headers: { accept: "*/*", "user-agent": "heddle" } }, signal);
      const { location } = response.headers;
      if (response.status >= 300 && response.status < 400 && location !== undefined) {
        await response.body[Symbol.asyncIterator]().return?.();
        url = new URL(location, parsed).href;
        continue;
      }
      if (response.status !== 200) {
        await response.body[Symbol.asyncIterator]().return?.();
        throw refused(`HTTP ${response.status}`);
      }
      try {
        const bytes = await readAll(response.body, maxBytes);
        return { bytes, mediaType: (response.headers["content-type"] ?? "application/octet-stream").split(";")[0]?.trim() ?? "application/octet-stream" };
      } catch (error) {
        throw error instanceof RangeError ? refused(`it is over ${maxBytes} bytes`) : error;
      }
    }
    throw refused("too many redirects");
  };
