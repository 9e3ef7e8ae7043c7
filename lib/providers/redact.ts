// Keys never leave: an upstream's error may quote the one it was called with (F41).
import { GatewayError } from "../model/error.ts";
import { type JsonObject, parseJson } from "../model/json.ts";

/** `text` with every secret replaced. Secrets of under 8 characters are no secrets, and would eat the text. */
export const redact = (text: string, secrets: readonly string[]): string => {
  let clean = text;
  for (const secret of secrets) if (secret.length >= 8) clean = clean.replaceAll(secret, "[redacted]");
  return clean;
};

/** The same error with the message, the passed headers and the upstream's own body free of secrets. */
export const redactError = (error: GatewayError, secrets: readonly string[]): GatewayError => {
  const { native, headers } = error.details;
  const body = native === undefined ? "" : JSON.stringify(native.body);
  const head = headers === undefined ? "" : JSON.stringify(headers);
  if (!secrets.some((secret) => secret.length >= 8 && (error.message.includes(secret) || body.includes(secret) || head.includes(secret)))) return error;
  return new GatewayError(error.code, redact(error.message, secrets), {
    ...error.details,
    ...(headers === undefined ? {} : { headers: parseJson(redact(head, secrets)) as Record<string, string> }),
    ...(native === undefined ? {} : { native: { ...native, body: parseJson(redact(body, secrets)) as JsonObject } }),
  });
};
