// What the host tells a function of an HTTP request beside the request itself, and the headers that requests pass with.
import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { RpcData } from "./messages.ts";

/** ASP.NET reads headers as UTF-8 where Node has Latin-1. Undefined: they are neither, and the request is refused. */
export const headersOf = (request: IncomingMessage): Map<string, string[]> | undefined => {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const headers = new Map<string, string[]>();
  try {
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      const name = (request.rawHeaders[at] ?? "").toLowerCase();
      const value = decoder.decode(Buffer.from(request.rawHeaders[at + 1] ?? "", "latin1"));
      headers.set(name, [...(headers.get(name) ?? []), value]);
    }
    return headers;
  } catch {
    return undefined;
  }
};

/** What App Service's front end adds to a request before the host has it. */
export const addFrontEndHeaders = (headers: Map<string, string[]>, request: IncomingMessage): void => {
  const client = `${(request.socket.remoteAddress ?? "").replace(/^::ffff:/, "")}:${request.socket.remotePort}`;
  const host = headers.get("host")?.[0] ?? "";
  const url = request.url ?? "/";
  const before = headers.get("x-forwarded-for") ?? [];
  for (const [name, value] of [
    ["client-ip", client],
    ["disguised-host", host],
    ["max-forwards", "10"],
    ["was-default-hostname", host],
    ["x-appservice-proto", "https"],
    ["x-arr-log-id", randomUUID()],
    ["x-arr-ssl", "2048|256|CN=local|CN=local"],
    ["x-forwarded-for", [...before, client].join(", ")],
    ["x-forwarded-proto", "https"],
    ["x-forwarded-tlsversion", "1.3"],
    ["x-original-url", url],
    ["x-site-deployment-id", "local"],
    ["x-waws-unencoded-url", url],
  ] as const)
    headers.set(name, [value]);
};

/** The members of a JSON object that are no objects themselves. */
const scalarsOf = (text: string): [string, string][] => {
  try {
    const parsed = JSON.parse(text) as unknown;
    if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed)) return [];
    return Object.entries(parsed).flatMap(([name, value]): [string, string][] =>
      value === null || typeof value === "object"
        ? []
        : [[name, typeof value === "boolean" ? (value ? "True" : "False") : String(value)]],
    );
  } catch {
    return [];
  }
};

/**
 * The trigger's metadata: members of the body, the query over them, the route over both; and `Query` and `Headers` where the request
 * has not brought such a name itself. It is the host's doing that a request can: who needs headers that are not the client's own word
 * reads them from the connection.
 */
export const httpMetadata = (
  body: Buffer | undefined,
  query: URLSearchParams,
  route: Readonly<Record<string, string>>,
  headers: ReadonlyMap<string, readonly string[]>,
): Record<string, RpcData> => {
  // Names are the same in any case; the first spelling stays.
  const found = new Map<string, { name: string; data: RpcData }>();
  const put = (name: string, data: RpcData): void => {
    const key = name.toLowerCase();
    found.set(key, { name: found.get(key)?.name ?? name, data });
  };
  const joined: Record<string, string> = {};
  for (const name of new Set(query.keys())) joined[name] = query.getAll(name).join(",");
  if (body !== undefined && body.length > 0)
    for (const [name, value] of scalarsOf(body.toString("utf8"))) put(name, { string: value });
  for (const [name, value] of Object.entries(joined)) if (name.toLowerCase() !== "code") put(name, { string: value });
  for (const [name, value] of Object.entries(route)) put(name, { string: value });
  if (!found.has("query")) put("Query", { json: JSON.stringify(joined) });
  const sent = Object.fromEntries(
    [...headers].map(([name, values]) => [name, values.join(name === "cookie" ? "; " : ",")]),
  );
  if (!found.has("headers")) put("Headers", { json: JSON.stringify(sent) });
  return Object.fromEntries([...found.values()].map(({ name, data }) => [name, data]));
};

/** Headers of one connection alone: a proxy passes none of them. */
const ofConnection = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "upgrade-insecure-requests",
  "expect",
]);

const latin1 = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

/** What the worker's server is sent: the request's own, and where it was for. */
export const forwardedHeaders = (
  headers: ReadonlyMap<string, readonly string[]>,
  id: string,
  request: IncomingMessage,
): Record<string, string | string[]> => {
  const out: Record<string, string | string[]> = {};
  for (const [name, values] of headers) if (name !== "host" && !ofConnection.has(name)) out[name] = values.map(latin1);
  return {
    ...out,
    "x-forwarded-for": (request.socket.remoteAddress ?? "").replace(/^::ffff:/, ""),
    "x-forwarded-host": latin1(headers.get("host")?.[0] ?? ""),
    "x-forwarded-proto": headers.get("x-forwarded-proto")?.[0] ?? "http",
    // A client that sends one of its own is believed, and waits for an answer that never comes.
    "x-ms-invocation-id": headers.get("x-ms-invocation-id")?.[0] ?? id,
  };
};

/** What the client is sent of the worker's head. */
export const answeredHeaders = (headers: IncomingHttpHeaders): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] => entry[1] !== undefined && !ofConnection.has(entry[0]),
    ),
  );
