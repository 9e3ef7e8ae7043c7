// What providers that speak plain HTTP share: an address, a credential, a path by wire.
import type { ProviderConfig } from "../config-types.ts";
import type { TransportRequest } from "../http/transport.ts";
import type { Headers } from "../model/call.ts";
import { GatewayError } from "../model/error.ts";
import type { WireId } from "../model/wire-id.ts";
import type { Dialect } from "../wires/wire.ts";
import { claimsModel } from "./claims.ts";
import type { Provider, ProviderContext, ProviderServices, UpstreamCall } from "./provider.ts";

export const trimSlash = (url: string): string => url.replace(/\/+$/, "");

/** Throws `upstream_authentication`, naming the setting. */
export const requireKey = (config: ProviderConfig, variable: string): string => {
  if (config.apiKey === undefined || config.apiKey === "")
    throw new GatewayError("upstream_authentication", `The provider '${config.id}' has no key: set ${variable} or providers.${config.id}.apiKey.`, {
      provider: config.id,
      status: 401,
    });
  return config.apiKey;
};

/** The values of `anthropic-beta` on the provider's allow list; ["*"] passes all (F21). */
export const allowedBetas = (value: string | undefined, allowed: readonly string[]): string | undefined => {
  if (value === undefined) return undefined;
  const passed = value
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "" && (allowed.includes("*") || allowed.includes(each)));
  return passed.length === 0 ? undefined : passed.join(",");
};

export type HttpProviderOptions = {
  maker: string;
  wires: (model: string) => readonly WireId[];
  dialect: Dialect;
  /** The path and query below the base address; undefined where the provider has no such operation. */
  path: (call: UpstreamCall) => string | undefined;
  /** The credential's headers, fresh for each call. */
  authorize: () => Headers | Promise<Headers>;
  /** Client headers that mean something to this provider. */
  forward: readonly string[];
  baseUrl: string;
  services: ProviderServices;
};

export const createHttpProvider = (config: ProviderConfig, context: ProviderContext, options: HttpProviderOptions): Provider => {
  const base = trimSlash(options.baseUrl);
  const dialect: Dialect = { ...options.dialect, ...config.dialect };
  return {
    id: config.id,
    kind: config.kind,
    maker: options.maker,
    wires: options.wires,
    dialect: () => dialect,
    claims: (model) => claimsModel(config.kind, model),
    models: config.models,
    secrets: () => [config.apiKey, ...Object.values(config.headers)].filter((value) => value !== undefined),
    services: options.services,
    send: async (call, signal) => {
      const path = options.path(call);
      if (path === undefined)
        throw new GatewayError("not_implemented", `The provider '${config.id}' does not offer this operation.`, { provider: config.id });
      const headers: Headers = { "content-type": "application/json", accept: call.stream ? "text/event-stream" : "application/json" };
      for (const name of options.forward) {
        const value = name === "anthropic-beta" ? allowedBetas(call.headers[name], config.betas) : call.headers[name];
        if (value !== undefined) headers[name] = value;
      }
      Object.assign(headers, config.headers, await options.authorize());
      const request: TransportRequest = { method: "POST", url: base + path, headers, body: call.body };
      return context.transport.send(request, signal);
    },
  };
};
