// AWS Signature Version 4, in headers, by node:crypto alone: the SDK's signer would cost every cold start its import.
import type { Headers } from "../model/call.ts";

export type AwsCredentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

export type SignRequest = {
  method: string;
  /** Whole, its path and query percent-encoded as they will be sent. */
  url: string;
  /** Those to be signed, lower-case. `host` and `x-amz-date` are added; a proxy may change others, so leave out what it touches. */
  headers: Headers;
  body: Uint8Array | string;
};

export type SignScope = { region: string; service: string; /** Unix milliseconds. */ now: number };

const sha256 = (data: Uint8Array | string): string =>
  process.getBuiltinModule("node:crypto").createHash("sha256").update(data).digest("hex");

const hmac = (key: Uint8Array | string, data: string): Buffer =>
  process.getBuiltinModule("node:crypto").createHmac("sha256", key).update(data).digest();

/** RFC 3986: everything but letters, digits and `-._~`. */
const percentEncode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

/** Every service but S3 wants the path encoded once more than it is sent. */
const canonicalPath = (path: string): string => path.split("/").map(percentEncode).join("/");

const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const canonicalQuery = (query: URLSearchParams): string =>
  [...query]
    .map(([name, value]) => [percentEncode(name), percentEncode(value)] as const)
    .sort(([a, x], [b, y]) => byCode(a, b) || byCode(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");

/** `20150830T123600Z` */
const stamp = (now: number): string => new Date(now).toISOString().replace(/[-:]|\.\d{3}/g, "");

/**
 * The headers that make the request a signed one: `authorization`, `x-amz-date`, and `x-amz-security-token` where the
 * credentials are temporary. Send them beside those that were signed.
 */
export const signV4 = (request: SignRequest, credentials: AwsCredentials, scope: SignScope): Headers => {
  const url = new URL(request.url);
  const date = stamp(scope.now);
  const added: Headers = { "x-amz-date": date };
  if (credentials.sessionToken !== undefined) added["x-amz-security-token"] = credentials.sessionToken;

  const signed: Headers = { ...request.headers, ...added, host: url.host };
  const names = Object.keys(signed).sort(byCode);
  const canonical = [
    request.method,
    canonicalPath(url.pathname),
    canonicalQuery(url.searchParams),
    ...names.map((name) => `${name}:${(signed[name] ?? "").trim().replace(/ +/g, " ")}`),
    "",
    names.join(";"),
    sha256(request.body),
  ].join("\n");

  const day = date.slice(0, 8);
  const range = `${day}/${scope.region}/${scope.service}/aws4_request`;
  const key = [day, scope.region, scope.service, "aws4_request"].reduce<Buffer | string>(
    hmac,
    `AWS4${credentials.secretAccessKey}`,
  );
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${range}\n${sha256(canonical)}`).toString("hex");
  return {
    ...added,
    authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${range}, SignedHeaders=${names.join(";")}, Signature=${signature}`,
  };
};
