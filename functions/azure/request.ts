// An HttpRequest of the Functions library as a call, and who App Service says has made it.
import type { IncomingMessage } from "node:http";
import type { HttpRequest } from "@azure/functions";
import type { Call, Headers, PlatformIdentity } from "../../lib/model/call.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { isObject, parseJson } from "../../lib/model/json.ts";
import { untilEnd } from "../shared/first.ts";
import type { Held } from "./room.ts";

const noBody = new Uint8Array(0);

/** App Service's own headers, by which it says who has signed in. Without its authentication anyone could send them. */
const identityHeaders = /^x-ms-(?:client-principal|token-aad)(?:-|$)/;

/**
 * Path and query of an absolute URL. The host's proxy writes an encoded slash anew, as `%252F` (dotnet/yarp#1419): SDKs send one where a model's
 * name has a slash.
 */
const placeOf = (url: string): { path: string; query: string } => {
  const slash = url.indexOf("/", url.indexOf("://") + 3);
  const place = slash < 0 ? "/" : url.slice(slash);
  const mark = place.indexOf("?");
  const path = (mark < 0 ? place : place.slice(0, mark)).replaceAll(/%25(2f)/gi, "%$1");
  return { path, query: mark < 0 ? "" : place.slice(mark + 1) };
};

/**
 * The request's own headers. Those that the library has are the trigger's metadata, and there the host lets a query or a body with a member
 * `Headers` stand in their place: anyone could say who has signed in. So they are read off the connection, where there is one.
 */
export const headersOf = (request: HttpRequest, sent: IncomingMessage | undefined): Headers => {
  if (sent === undefined) return Object.fromEntries(request.headers.entries());
  const headers: Headers = {};
  for (const [name, values = []] of Object.entries(sent.headersDistinct))
    headers[name] = values.join(name === "cookie" ? "; " : ", ");
  // The proxy's own.
  delete headers["connection"];
  delete headers["x-ms-invocation-id"];
  headers["host"] = headers["x-forwarded-host"] ?? "";
  return headers;
};

export const receive = (request: HttpRequest, given: Headers): Call => {
  const headers: Headers = {};
  for (const [name, value] of Object.entries(given)) if (!identityHeaders.test(name)) headers[name] = value;
  return { method: request.method, ...placeOf(request.url), headers, body: noBody };
};

const objectIdClaims = new Set(["oid", "http://schemas.microsoft.com/identity/claims/objectidentifier"]);
const tenantClaims = new Set(["tid", "http://schemas.microsoft.com/identity/claims/tenantid"]);

/** What App Service's authentication has proven; undefined for callers without a token, and for other identity providers than Entra. */
export const identityOf = (headers: Headers): PlatformIdentity | undefined => {
  const header = headers["x-ms-client-principal"];
  if (header === undefined) return undefined;
  const principal = parseJson(Buffer.from(header, "base64").toString("utf8"));
  if (!isObject(principal) || principal["auth_typ"] !== "aad" || !Array.isArray(principal["claims"])) return undefined;
  const claims = principal["claims"].flatMap((claim: unknown) =>
    isObject(claim) && typeof claim["typ"] === "string" && typeof claim["val"] === "string"
      ? [{ type: claim["typ"], value: claim["val"] }]
      : [],
  );
  const valueOf = (types: ReadonlySet<unknown>): string | undefined =>
    claims.find(({ type }) => types.has(type))?.value;
  const objectId = valueOf(objectIdClaims);
  if (objectId === undefined) return undefined;
  const tenantId = valueOf(tenantClaims);
  const name = valueOf(new Set([principal["name_typ"]]));
  const roles = claims.flatMap(({ type, value }) => (type === principal["role_typ"] ? [value] : []));
  return {
    kind: "entra",
    objectId,
    ...(tenantId === undefined ? {} : { tenantId }),
    ...(roles.length === 0 ? {} : { roles }),
    ...(name === undefined ? {} : { name }),
  };
};

/** Before a configuration says how long a body may take. */
const usualMs = 60_000;

/**
 * The body, whole. Throws `request_too_large`, `request_timeout`, `overloaded` where other calls hold too much, and `cancelled` where the caller
 * left while sending. What is too much is still read, and thrown away: the host would take an answer before the body's end for a broken connection.
 */
export const readBody = async (
  request: HttpRequest,
  mostBytes: number,
  held: Held,
  withinMs = usualMs,
): Promise<Uint8Array> => {
  if (request.body === null) return noBody;
  const chunks: Uint8Array[] = [];
  let size = 0;
  let full = false;
  const source = (request.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  let timer: NodeJS.Timeout | undefined;
  const inTime = untilEnd(
    new Promise<"late">((resolve) => {
      timer = setTimeout(resolve, withinMs, "late");
    }),
  );
  try {
    for (;;) {
      const next = await inTime(source.next());
      if (next === "late") {
        // It may hang for as long as the body does.
        source.return?.().catch(() => undefined);
        throw new GatewayError("request_timeout", "The request body did not arrive in time.");
      }
      if (next.done === true) break;
      size += next.value.length;
      full ||= !held.take(next.value.length);
      if (size <= mostBytes && !full) chunks.push(next.value);
      else {
        chunks.length = 0;
        held.release();
      }
    }
  } catch (thrown) {
    throw thrown instanceof GatewayError ? thrown : new GatewayError("cancelled", "The caller has gone.");
  } finally {
    clearTimeout(timer);
  }
  if (size > mostBytes) throw new GatewayError("request_too_large", `The request body is over ${mostBytes} bytes.`);
  if (full)
    throw new GatewayError("overloaded", "Too many large bodies are here at once: try again soon.", {
      retryAfterMs: 1_000,
    });
  const only = chunks[0];
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
};
