// Fetches what a caller's URL names, from public hosts alone: a caller must not reach through the gateway what only the gateway can
// reach (docs/decisions/0006).
import type { LookupFunction } from "node:net";
import { GatewayError } from "../model/error.ts";
import { isPrivateAddress } from "./address.ts";
import { createNodeTransport } from "./node-transport.ts";
import { readAll, type TransportResponse } from "./transport.ts";

/** Gives the bytes behind a URL and what its host says they are. Throws `Unfetched`, or what the caller's own leaving gives. */
export type MediaFetcher = (
  url: string,
  signal: AbortSignal,
) => Promise<{ bytes: Uint8Array; contentType: string | undefined }>;

/** Why there are no bytes, in words fit for the caller: they name neither the URL nor any address. */
export class Unfetched extends Error {
  override readonly name = "Unfetched";
}

export type MediaFetchOptions = {
  /** All addresses of a host name. Default: the system's resolver. */
  resolve?: (host: string) => Promise<readonly string[]>;
  /** Whether an address may not be asked. Default: every one that is not public. */
  isForbidden?: (address: string) => boolean;
  /** Bytes. */
  maxBytes?: number;
  /** Milliseconds for all of it, redirects too. */
  timeoutMs?: number;
};

const maxRedirects = 5;
const notPublic = "its address is not public";

const systemResolve = async (host: string): Promise<readonly string[]> => {
  const found = await process.getBuiltinModule("node:dns/promises").lookup(host, { all: true });
  return found.map(({ address }) => address);
};

const discard = async (response: TransportResponse): Promise<void> => {
  await response.body[Symbol.asyncIterator]().return?.();
};

const checkedUrl = (text: string, isForbidden: (address: string) => boolean): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new Unfetched("only http and https URLs are fetched");
  if (url.username !== "" || url.password !== "") throw new Unfetched("URLs with credentials are not fetched");
  // Addresses in any spelling have become plain ones here; they are connected to without a look-up.
  const host = url.hostname.replaceAll(/^\[|\]$/g, "");
  if (process.getBuiltinModule("node:net").isIP(host) !== 0 && isForbidden(host)) throw new Unfetched(notPublic);
  return url;
};

export const createMediaFetcher = (options: MediaFetchOptions = {}): MediaFetcher => {
  const {
    resolve = systemResolve,
    isForbidden = isPrivateAddress,
    maxBytes = 20 * 1024 * 1024,
    timeoutMs = 10_000,
  } = options;

  const addressesOf = async (host: string): Promise<readonly string[]> => {
    let addresses: readonly string[];
    try {
      addresses = await resolve(host);
    } catch {
      throw new Unfetched("its host was not found");
    }
    if (addresses.length === 0) throw new Unfetched("its host was not found");
    // One address inside is one too many: which of them is asked, nobody knows.
    if (addresses.some(isForbidden)) throw new Unfetched(notPublic);
    return addresses;
  };

  const found = async (host: string): Promise<readonly string[] | Error> => {
    try {
      return await addressesOf(host);
    } catch (error) {
      return error instanceof Error ? error : new Error("no address");
    }
  };

  const answerLookup = async (host: string, all: boolean, callback: Parameters<LookupFunction>[2]): Promise<void> => {
    const answer = await found(host);
    if (answer instanceof Error) return callback(answer, "");
    const { isIP } = process.getBuiltinModule("node:net");
    const entries = answer.map((address) => ({ address, family: isIP(address) }));
    return all ? callback(null, entries) : callback(null, entries[0]?.address ?? "", entries[0]?.family ?? 4);
  };

  /** The look-up of the connection itself, so that no name can change its address between a check and a call. */
  const lookup: LookupFunction = (host, { all }, callback) => {
    void answerLookup(host, all === true, callback);
  };
  const transport = createNodeTransport(
    { connectMs: timeoutMs, headersMs: timeoutMs, idleMs: timeoutMs },
    { lookup, keepAlive: false },
  );

  const follow = async (first: string, signal: AbortSignal): ReturnType<MediaFetcher> => {
    let url = checkedUrl(first, isForbidden);
    for (let hop = 0; hop <= maxRedirects; hop += 1) {
      const headers = { accept: "*/*", "accept-encoding": "identity", "user-agent": "heddle" };
      const response = await transport.send({ method: "GET", url: url.href, headers }, signal);
      const { location } = response.headers;
      if (response.status >= 300 && response.status < 400 && location !== undefined) {
        await discard(response);
        if (!URL.canParse(location, url.href)) throw new Unfetched("it leads to no URL");
        url = checkedUrl(new URL(location, url.href).href, isForbidden);
        continue;
      }
      if (response.status !== 200) {
        await discard(response);
        throw new Unfetched(`its host answered HTTP ${response.status}`);
      }
      if (Number(response.headers["content-length"] ?? 0) > maxBytes) {
        await discard(response);
        throw new Unfetched(`it is larger than ${maxBytes} bytes`);
      }
      return { bytes: await readAll(response.body, maxBytes), contentType: response.headers["content-type"] };
    }
    throw new Unfetched("it leads to too many other places");
  };

  return async (url, outer) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      return await follow(url, AbortSignal.any([outer, timeout]));
    } catch (error) {
      if (outer.aborted || error instanceof Unfetched) throw error;
      if (error instanceof RangeError) throw new Unfetched(`it is larger than ${maxBytes} bytes`);
      if (timeout.aborted || (error instanceof GatewayError && error.code === "upstream_timeout"))
        throw new Unfetched("it took too long");
      const cause = error instanceof GatewayError ? error.details.cause : undefined;
      throw cause instanceof Unfetched ? cause : new Unfetched("its host gave no answer");
    }
  };
};
