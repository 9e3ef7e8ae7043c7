// Lambda's HTTP events as calls, and replies as what its response stream is begun with: function URLs (payload 2.0) and API Gateway REST.
import type { Call, Headers, PlatformIdentity } from "../../lib/model/call.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { cookiesOf } from "../shared/cookies.ts";

type Maybe<T> = T | null | undefined;

/** Payload 2.0, as far as it is read here. */
export type UrlEvent = {
  version: "2.0";
  rawPath: string;
  rawQueryString: string;
  cookies?: string[];
  headers: Record<string, string | undefined>;
  requestContext: {
    stage?: string;
    http: { method: string };
    authorizer?: Maybe<{ iam?: Maybe<{ userArn?: Maybe<string>; accountId?: Maybe<string> }> }>;
  };
  body?: Maybe<string>;
  isBase64Encoded?: boolean;
};

/** API Gateway's REST proxy event, as far as it is read here. */
export type RestEvent = {
  httpMethod: string;
  path: string;
  headers: Maybe<Record<string, string | undefined>>;
  multiValueHeaders?: Maybe<Record<string, string[] | undefined>>;
  queryStringParameters?: Maybe<Record<string, string | undefined>>;
  multiValueQueryStringParameters?: Maybe<Record<string, string[] | undefined>>;
  requestContext?: { stage?: string; identity?: Maybe<{ userArn?: Maybe<string>; accountId?: Maybe<string> }> };
  body?: Maybe<string>;
  isBase64Encoded?: boolean;
};

export type HttpEvent = UrlEvent | RestEvent;

const isUrlEvent = (event: HttpEvent): event is UrlEvent => "rawPath" in event;

/** Base64 that Lambda's front made is whole; what isn't comes from somebody who invokes the function by hand. */
const bodyOf = ({ body, isBase64Encoded }: HttpEvent): Uint8Array =>
  Buffer.from(body ?? "", isBase64Encoded === true ? "base64" : "utf8");

/** Some fronts decode the path: what may not stand in one is encoded again, what is encoded stays. */
const encodedPath = (path: string): string => {
  const whole = path.startsWith("/") ? path : `/${path}`;
  return whole.replaceAll(/[^\x21-\x7e]+/g, (text) => encodeURIComponent(text.toWellFormed()));
};

/** A named stage is the path's first segment where the event comes by the API's own address, and no part of the route. */
const withoutStage = (path: string, stage: string | undefined): string => {
  if (stage === undefined || stage === "" || stage === "$default") return path;
  if (path === `/${stage}`) return "/";
  return path.startsWith(`/${stage}/`) ? path.slice(stage.length + 1) : path;
};

const joined = (name: string, values: readonly string[]): string => values.join(name === "cookie" ? "; " : ", ");

/** Names in lower case, repeated ones joined. A name that came in several cases is one header. */
const headersOf = (event: HttpEvent): Headers => {
  const headers: Headers = {};
  const add = (given: string, values: readonly string[]): void => {
    const name = given.toLowerCase();
    const before = headers[name];
    headers[name] = joined(name, before === undefined ? values : [before, ...values]);
  };
  if (isUrlEvent(event)) {
    for (const [name, value] of Object.entries(event.headers)) if (value !== undefined) add(name, [value]);
    if (event.cookies !== undefined && event.cookies.length > 0) headers["cookie"] = event.cookies.join("; ");
    return headers;
  }
  const many = event.multiValueHeaders ?? {};
  for (const [name, values] of Object.entries(many)) if (values !== undefined) add(name, values);
  const have = new Set(Object.keys(headers));
  for (const [name, value] of Object.entries(event.headers ?? {}))
    if (value !== undefined && !have.has(name.toLowerCase())) add(name, [value]);
  return headers;
};

/** REST events tell the query decoded. */
const queryOf = (event: RestEvent): string => {
  const query = new URLSearchParams();
  const many = event.multiValueQueryStringParameters ?? {};
  for (const [name, values] of Object.entries(many)) for (const value of values ?? []) query.append(name, value);
  for (const [name, value] of Object.entries(event.queryStringParameters ?? {}))
    if (value !== undefined && !Object.hasOwn(many, name)) query.append(name, value);
  return query.toString();
};

const identityOf = (arn: Maybe<string>, account: Maybe<string>): PlatformIdentity | undefined =>
  typeof arn === "string" && arn !== "" && typeof account === "string" ? { kind: "aws-iam", arn, account } : undefined;

export type Received = { call: Call; identity: PlatformIdentity | undefined };

/** Throws `invalid_request` for what is no HTTP event: the function was invoked by hand. */
export const receive = (event: HttpEvent): Received => {
  if (typeof event !== "object" || event === null || !("rawPath" in event || "httpMethod" in event))
    throw new GatewayError("invalid_request", "The event is neither a function URL's nor API Gateway's.");
  const headers = headersOf(event);
  const body = bodyOf(event);
  if (isUrlEvent(event)) {
    const { http, stage, authorizer } = event.requestContext;
    return {
      call: {
        method: http.method,
        path: encodedPath(withoutStage(event.rawPath, stage)),
        query: event.rawQueryString,
        headers,
        body,
      },
      identity: identityOf(authorizer?.iam?.userArn, authorizer?.iam?.accountId),
    };
  }
  const { identity } = event.requestContext ?? {};
  return {
    // A REST event's path is without its stage.
    call: { method: event.httpMethod, path: encodedPath(event.path), query: queryOf(event), headers, body },
    identity: identityOf(identity?.userArn, identity?.accountId),
  };
};

/** What a response stream is begun with. */
export type Prelude = {
  statusCode: number;
  headers: Headers;
  /** Function URLs. */
  cookies?: string[];
  /** API Gateway REST. */
  multiValueHeaders?: Record<string, string[]>;
};

export const preludeOf = (status: number, given: Headers, event: HttpEvent): Prelude => {
  const { "set-cookie": cookies, ...headers } = given;
  if (cookies === undefined) return { statusCode: status, headers };
  const list = cookiesOf(cookies);
  return isUrlEvent(event)
    ? { statusCode: status, headers, cookies: list }
    : { statusCode: status, headers, multiValueHeaders: { "set-cookie": list } };
};
