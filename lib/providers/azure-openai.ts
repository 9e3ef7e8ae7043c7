// Azure OpenAI: a deployment's name is the model; a key, or a token of Entra ID.
import type { ProviderConfig } from "../config-types.ts";
import { GatewayError } from "../model/error.ts";
import type { Headers } from "../model/call.ts";
import { createHttpProvider, requireKey, trimSlash } from "./http-provider.ts";
import { openaiForwarded, openaiPath, openaiWires } from "./openai.ts";
import type { Provider, ProviderContext } from "./provider.ts";
import { openaiServices } from "./services/openai.ts";

const scope = "https://cognitiveservices.azure.com/.default";
/** A token is renewed this long before it ends. */
const earlyMs = 5 * 60_000;

export type TokenSource = () => Promise<{ token: string; expiresOnTimestamp: number }>;

/** Entra's own way of finding a credential: managed identity, workload identity, the developer's login. Loaded when first used. */
const entra: TokenSource = async () => {
  const { DefaultAzureCredential } = await import("@azure/identity");
  return new DefaultAzureCredential().getToken(scope);
};

/** A cached token; one request for it at a time. */
export const createTokenCache = (source: TokenSource, now: () => number): (() => Promise<string>) => {
  let current: { token: string; expiresOnTimestamp: number } | undefined;
  let pending: Promise<string> | undefined;
  return () => {
    if (current !== undefined && current.expiresOnTimestamp - earlyMs > now()) return Promise.resolve(current.token);
    pending ??= source()
      .then(
        (token) => {
          current = token;
          return token.token;
        },
        (error: unknown) => {
          // Between the early renewal and the end, the old token still serves.
          if (current !== undefined && current.expiresOnTimestamp > now()) return current.token;
          throw new GatewayError("upstream_authentication", "Entra ID gave no token for Azure OpenAI.", { status: 401, cause: error });
        },
      )
      .finally(() => {
        pending = undefined;
      });
    return pending;
  };
};

export const createAzureOpenAi = (config: ProviderConfig, context: ProviderContext, source: TokenSource = entra): Provider => {
  if (config.baseUrl === undefined)
    throw new GatewayError("invalid_request", `The provider '${config.id}' has no address: set AZURE_OPENAI_ENDPOINT or providers.${config.id}.baseUrl.`, {
      provider: config.id,
    });
  const endpoint = trimSlash(config.baseUrl).replace(/\/openai(?:\/v1)?$/, "");
  const token = createTokenCache(source, context.now);
  const byToken = config.tokenCredential === true || config.apiKey === undefined;
  const authorize = async (): Promise<Headers> =>
    byToken ? { authorization: `Bearer ${await token()}` } : { "api-key": requireKey(config, "AZURE_OPENAI_API_KEY") };
  const { apiVersion } = config;
  return createHttpProvider(config, context, {
    // Encrypted reasoning of one resource means nothing to another.
    maker: config.id,
    wires: apiVersion === undefined ? openaiWires : () => ["openai-chat"],
    dialect: {},
    path: (call) => {
      const path = openaiPath(call);
      if (path === undefined) return undefined;
      return apiVersion === undefined
        ? `/openai/v1${path}`
        : `/openai/deployments/${encodeURIComponent(call.model)}${path}?api-version=${encodeURIComponent(apiVersion)}`;
    },
    authorize,
    forward: openaiForwarded,
    baseUrl: endpoint,
    services: openaiServices({
      id: config.id,
      wire: "openai-chat",
      client: async () => {
        const headers = await authorize();
        return {
          // The SDK sends this as a bearer token; a key goes by its own header beside it.
          apiKey: headers["authorization"]?.slice(7) ?? "azure",
          baseURL: `${endpoint}/openai/v1`,
          defaultHeaders: { ...config.headers, ...(headers["api-key"] === undefined ? {} : { "api-key": headers["api-key"], authorization: null }) },
        };
      },
    }),
  });
};
