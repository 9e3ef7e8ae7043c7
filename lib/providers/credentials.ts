// What proves the gateway to a provider: which setting holds it, whether it is there, and what of it must never be seen.
import type { ProviderConfig } from "../config-types.ts";
import { GatewayError } from "../model/error.ts";
import type { ProviderKind } from "./provider.ts";

/** Kinds that can't be called without a key, and the variable that people keep it in. */
const variables: Partial<Record<ProviderKind, string>> = {
  openai: "OPENAI_API_KEY",
  anthropic: "ANTHROPIC_API_KEY",
  gemini: "GEMINI_API_KEY",
};

const credentialHeader = /^(?:authorization|x-api-key|x-goog-api-key|api-key)$/i;
const secretHeader = /auth|key|token|secret|cookie|password|credential/i;

/** A configured header may stand for the key: a proxy in between has its own ways. */
const hasCredentialHeader = (config: ProviderConfig): boolean =>
  Object.keys(config.headers).some((name) => credentialHeader.test(name));

export const hasKey = (config: ProviderConfig): boolean => config.apiKey !== undefined && config.apiKey !== "";

/** False where a call would fail for want of a key; providers that find their credential by themselves, or need none, count as configured. */
export const isConfigured = (config: ProviderConfig): boolean =>
  variables[config.kind] === undefined || hasKey(config) || hasCredentialHeader(config);

/** Throws `upstream_authentication`, naming the setting, before any call is made. */
export const requireConfigured = (config: ProviderConfig): void => {
  if (isConfigured(config)) return;
  throw new GatewayError(
    "upstream_authentication",
    `The provider '${config.id}' has no key: set ${variables[config.kind]} or providers.${config.id}.apiKey.`,
    // SDKs try a 502 again, which would not help.
    { provider: config.id, status: 401 },
  );
};

/** The key, its parts in headers, and nothing that is plain to see (an organisation, a project). */
export const secretsOf = (config: ProviderConfig): readonly string[] => {
  const secrets = hasKey(config) ? [config.apiKey ?? ""] : [];
  for (const [name, value] of Object.entries(config.headers))
    if (secretHeader.test(name)) secrets.push(value, value.replace(/^(?:bearer|basic) +/i, ""));
  return [...new Set(secrets)];
};
