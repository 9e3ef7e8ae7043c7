// Azure OpenAI: a deployment's name is the model; a key, or a token of Entra ID.
import type { ProviderConfig } from "../config-types.ts";
import type { Headers } from "../model/call.ts";
import { GatewayError, invalid } from "../model/error.ts";
import type { WireId } from "../model/wire-id.ts";
import { azureCredential } from "../remote/azure-credential.ts";
import { hasKey } from "./credentials.ts";
import { configuredHeaders, createHttpProvider, trimSlash } from "./http-provider.ts";
import { pathSegment } from "./path-segment.ts";
import { openaiForwarded, openaiPath, openaiWires } from "./openai.ts";
import type { Provider, ProviderContext, UpstreamCall } from "./provider.ts";
import { openaiServices } from "./services/openai.ts";

const scope = "https://cognitiveservices.azure.com/.default";
/** A token is renewed this long before it ends. */
const earlyMs = 5 * 60_000;

type Token = { token: string; expiresOnTimestamp: number };
export type TokenSource = () => Promise<Token>;

/** The process's own credential, as for everything on Azure. */
const entra: TokenSource = async () => {
  const token = await azureCredential().getToken(scope);
  if (token === null) throw new Error("No token.");
  return token;
};

type TokenCache = { get: () => Promise<string>; last: () => string | undefined };

/** One request for a token at a time; between the early renewal and its end, an old token still serves. */
const createTokenCache = (source: TokenSource, provider: string, now: () => number): TokenCache => {
  let current: Token | undefined;
  let pending: Promise<string> | undefined;
  const renew = async (): Promise<string> => {
    try {
      current = await source();
      return current.token;
    } catch (thrown) {
      if (current !== undefined && current.expiresOnTimestamp > now()) return current.token;
      throw new GatewayError(
        "upstream_authentication",
        `Entra ID gave no token for the provider '${provider}': set AZURE_OPENAI_API_KEY or providers.${provider}.apiKey, or give this process an identity.`,
        { provider, status: 401, cause: thrown },
      );
    } finally {
      pending = undefined;
    }
  };
  return {
    last: () => current?.token,
    get: () =>
      current !== undefined && current.expiresOnTimestamp - earlyMs > now()
        ? Promise.resolve(current.token)
        : (pending ??= renew()),
  };
};

/** Models of other makers that Azure hosts speak Chat alone. A deployment named otherwise is taken for one of OpenAI's. */
const others =
  /^(?:deepseek|llama|meta-|mistral|ministral|codestral|phi|grok|cohere|command|jais|kimi|qwen|jamba|ai21|glm|mai-)/i;

const wiresOf = (model: string): readonly WireId[] => (others.test(model) ? ["openai-chat"] : openaiWires(model));

/** `source` gives tokens in place of Entra ID. Throws `invalid_request` where no endpoint is set. */
export const createAzureOpenAi = (
  config: ProviderConfig,
  context: ProviderContext,
  source: TokenSource = entra,
): Provider => {
  if (config.baseUrl === undefined)
    throw invalid(`providers.${config.id}.baseUrl`, "expected the endpoint of the resource (or AZURE_OPENAI_ENDPOINT)");
  const endpoint = trimSlash(config.baseUrl).replace(/\/openai(?:\/v1)?$/, "");
  const { apiVersion } = config;
  const version = apiVersion === undefined ? "" : `?api-version=${encodeURIComponent(apiVersion)}`;
  const tokens = createTokenCache(source, config.id, context.now);
  const configured = configuredHeaders(config);
  const selfAuthorized = configured["api-key"] !== undefined || configured["authorization"] !== undefined;
  const byToken = config.tokenCredential === true || (!hasKey(config) && !selfAuthorized);
  const key: Headers = hasKey(config) ? { "api-key": config.apiKey ?? "" } : {};
  const authorize = async (): Promise<Headers> => ({ authorization: `Bearer ${await tokens.get()}` });

  /** Chat and the services of the classic layout are below a deployment, Responses beside them. */
  const classicPath = (path: string, model: string): string =>
    path.startsWith("/responses") || path === "/models" ? path : `/deployments/${pathSegment(model)}${path}`;
  const callPath = (call: UpstreamCall): string | undefined => {
    const path = openaiPath(call);
    if (path === undefined) return undefined;
    return version === "" ? `/openai/v1${path}` : `/openai${classicPath(path, call.model)}${version}`;
  };

  return createHttpProvider(config, context, {
    // Encrypted reasoning of one resource means nothing to another, nor to OpenAI.
    maker: config.id,
    baseUrl: endpoint,
    wires: apiVersion === undefined ? wiresOf : () => ["openai-chat"],
    path: callPath,
    authorize: byToken ? authorize : () => key,
    forward: openaiForwarded,
    secrets: () => [tokens.last() ?? ""].filter((token) => token !== ""),
    services: openaiServices({
      id: config.id,
      baseUrl: `${endpoint}/openai${version === "" ? "/v1" : ""}`,
      headers: async () => ({ ...(byToken ? await authorize() : key), ...configured }),
      ...(version === "" ? {} : { path: (path, model) => classicPath(path, model) + version }),
      // Azure lists every model of its region; what can be called are the deployments, which only the configuration knows.
      ...(config.models.length === 0 ? {} : { listed: (model) => config.models.includes(model) }),
    }),
  });
};
