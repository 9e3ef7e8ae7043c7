// Keys never leave: an upstream's error may quote the one it was called with (F41).
import { GatewayError, type ErrorDetails } from "../model/error.ts";
import { isObject, type Json, type JsonObject } from "../model/json.ts";

const mark = "[redacted]";
/** Shorter ones are no secrets, and would eat the text. */
const shortest = 8;

/** What keys look like, whoever they belong to: a proxy behind the provider may quote its own. */
const keyShapes: readonly RegExp[] = [
  /\bsk-[A-Za-z0-9_-]{16,}/g,
  /\bAIza[A-Za-z0-9_-]{20,}/g,
  /(?<=[?&](?:key|api[-_]?key|access_token)=)[^&\s"']+/gi,
  /(?<=\bBearer )[A-Za-z0-9._~+/-]{16,}=*/gi,
];

/** `text` with every secret, as it is and percent-encoded, and everything that looks like a key replaced. */
export const redact = (text: string, secrets: readonly string[]): string => {
  let clean = text;
  for (const secret of secrets) {
    if (secret.length < shortest) continue;
    clean = clean.replaceAll(secret, mark);
    const encoded = encodeURIComponent(secret.toWellFormed());
    if (encoded !== secret) clean = clean.replaceAll(encoded, mark);
  }
  for (const shape of keyShapes) clean = clean.replace(shape, mark);
  return clean;
};

const redactJson = (value: Json | undefined, secrets: readonly string[]): Json | undefined => {
  if (typeof value === "string") return redact(value, secrets);
  if (Array.isArray(value)) return value.map((each) => redactJson(each, secrets) ?? null);
  return isObject(value) ? redactObject(value, secrets) : value;
};

const redactObject = (value: JsonObject, secrets: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(value).map(([name, each]) => [redact(name, secrets), redactJson(each, secrets)]));

/** A cause goes to the log at most: its words alone. */
const redactCause = (cause: unknown, secrets: readonly string[]): unknown => {
  if (!(cause instanceof Error)) return typeof cause === "string" ? redact(cause, secrets) : undefined;
  const clean = new Error(redact(cause.message, secrets));
  clean.name = cause.name;
  if (cause.stack !== undefined) clean.stack = redact(cause.stack, secrets);
  return clean;
};

/** The same error with its message, headers, cause and the upstream's own body free of secrets. */
export const redactError = (error: GatewayError, secrets: readonly string[]): GatewayError => {
  const { native, headers, param, cause, ...rest } = error.details;
  const details: ErrorDetails = rest;
  if (param !== undefined) details.param = redact(param, secrets);
  if (cause !== undefined) details.cause = redactCause(cause, secrets);
  if (native !== undefined) details.native = { ...native, body: redactObject(native.body, secrets) };
  if (headers !== undefined)
    details.headers = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, redact(value, secrets)]),
    );
  return new GatewayError(error.code, redact(error.message, secrets), details);
};
