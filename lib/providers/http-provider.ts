// What providers that speak plain HTTP share: an address, a credential, a path by wire.
import type { ProviderConfig } from "../config-types.ts";
import type { Headers } from "../model/call.ts";
import { GatewayError, toGatewayError } from "../model/error.ts";
import { compact } from "../model/json.ts";
import type { WireId } from "../model/wire-id.ts";
import type { Dialect } from "../wires/wire.ts";
import { claimsModel } from "./claims.ts";
import { requireConfigured, secretsOf } from "./credentials.ts";
import type { Provider, ProviderContext, ProviderServices, UpstreamCall } from "./provider.ts";
import { redactError } from "./redact.ts";

export const trimSlash = (url: string): string => url.replace(/\/+$/, "");

/** The configured headers as they are sent: lower-case names. */
export const configuredHeaders = (config: ProviderConfig): Headers =>
  Object.fromEntries(Object.entries(config.headers).map(([name, value]) => [name.toLowerCase(), value]));

/** The values of `anthropic-beta` on the provider's allow list, in their order; "*" passes all (F21). */
const allowedBetas = (value: string | undefined, allowed: readonly string[]): string | undefined => {
  if (value === undefined || allowed.includes("*")) return value;
  const passed = value
    .split(",")
    .map((each) => each.trim())
    .filter((each) => allowed.includes(each));
  return passed.length === 0 ? undefined : passed.join(",");
};

export type HttpProviderOptions = {
  maker: string;
  /** Without a slash at its end. */
  baseUrl: string;
  wires: (model: string) => readonly WireId[];
  dialect?: (model: string) => Dialect;
  /** The path and query below the address; undefined where the provider has no such operation. */
  path: (call: UpstreamCall) => string | undefined;
  /** The credential's headers, asked for each call. Headers of the configuration go before them. */
  authorize: () => Headers | Promise<Headers>;
  /** Client headers that mean something to this provider. */
  forward: readonly string[];
  /** What is sent where neither the client nor the configuration says otherwise. */
  defaults?: Headers;
  /** Keys that come to be known later (tokens). */
  secrets?: () => readonly string[];
  services: ProviderServices;
};

const noDialect: Dialect = {};

/** The same services, whose errors hold no secret (F41). */
const guarded = (services: ProviderServices, secrets: () => readonly string[]): ProviderServices => {
  const guard = <Given extends unknown[], Answer>(
    service: ((...given: Given) => Promise<Answer>) | undefined,
  ): ((...given: Given) => Promise<Answer>) | undefined =>
    service === undefined
      ? undefined
      : async (...given) => {
          try {
            return await service(...given);
          } catch (thrown) {
            throw redactError(toGatewayError(thrown), secrets());
          }
        };
  return compact<ProviderServices>({
    listModels: guard(services.listModels),
    embeddings: guard(services.embeddings),
    images: guard(services.images),
    speech: guard(services.speech),
    transcribe: guard(services.transcribe),
  });
};

export const createHttpProvider = (
  config: ProviderConfig,
  context: ProviderContext,
  options: HttpProviderOptions,
): Provider => {
  const { baseUrl, forward, defaults, authorize } = options;
  const configured = configuredHeaders(config);
  const fixedSecrets = secretsOf(config);
  // Some hosts' firewalls turn away callers that don't say who they are.
  const first: Headers = { "user-agent": "heddle", ...defaults };
  const secrets = (): readonly string[] =>
    options.secrets === undefined ? fixedSecrets : [...fixedSecrets, ...options.secrets()];
  const overridden = Object.keys(config.dialect).length > 0;
  return {
    id: config.id,
    kind: config.kind,
    maker: options.maker,
    wires: config.wires === undefined ? options.wires : () => config.wires ?? [],
    dialect: (model) => {
      const known = options.dialect?.(model) ?? noDialect;
      return overridden ? { ...known, ...config.dialect } : known;
    },
    claims: (model) => config.models.includes(model) || claimsModel(config.kind, model),
    models: config.models,
    secrets,
    services: guarded(options.services, secrets),
    send: async (call, signal) => {
      const path = options.path(call);
      if (path === undefined)
        throw new GatewayError("not_implemented", `The provider '${config.id}' does not offer this operation.`, {
          provider: config.id,
        });
      requireConfigured(config);
      const headers: Headers = { ...first };
      for (const name of forward) {
        const value = name === "anthropic-beta" ? allowedBetas(call.headers[name], config.betas) : call.headers[name];
        if (value !== undefined) headers[name] = value;
      }
      const authorization = authorize();
      Object.assign(headers, authorization instanceof Promise ? await authorization : authorization, configured);
      headers["content-type"] = "application/json";
      headers["accept"] = call.stream ? "text/event-stream" : "application/json";
      return context.transport.send({ method: "POST", url: baseUrl + path, headers, body: call.body }, signal);
    },
  };
};
