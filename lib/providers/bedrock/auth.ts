// How a request proves whose it is: a bearer token, keys from the configuration, or whatever AWS's own chain finds.
import type { ProviderConfig } from "../../config-types.ts";
import type { TransportRequest } from "../../http/transport.ts";
import type { Headers } from "../../model/call.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import { signV4, type AwsCredentials } from "../aws-sigv4.ts";
import type { Endpoint } from "./endpoints.ts";

export type Authorizer = {
  /** The request with its credentials in its headers. Throws `upstream_authentication` where there are none. */
  authorize: (request: TransportRequest, service: Endpoint["service"]) => Promise<TransportRequest>;
  secrets: () => readonly string[];
};

/** Headers that are signed: what names the body, and AWS's own. Others may be added or changed on the way. */
const isSigned = (name: string): boolean => name === "content-type" || name.startsWith("x-amz");

const noCredentials = (provider: string, cause?: unknown): GatewayError =>
  new GatewayError(
    "upstream_authentication",
    "No AWS credentials were found: set a bearer token or an access key, or give this process an AWS role.",
    { provider, cause },
  );

/** AWS's default chain: environment, profile, web identity, container, instance. The SDK loads when first asked, and renews what expires. */
const createChain = (region: string, provider: string): (() => Promise<AwsCredentials>) => {
  let chain: Promise<() => Promise<AwsCredentials>> | undefined;
  return async () => {
    chain ??= import("@aws-sdk/credential-providers").then(({ fromNodeProviderChain }) =>
      fromNodeProviderChain({ clientConfig: { region } }),
    );
    try {
      return await (
        await chain
      )();
    } catch (thrown) {
      throw noCredentials(provider, thrown);
    }
  };
};

const configuredKeys = (config: ProviderConfig): AwsCredentials | undefined => {
  const { accessKeyId, secretAccessKey, sessionToken } = config;
  if (accessKeyId === undefined && secretAccessKey === undefined) return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined)
    throw invalid(`providers.${config.id}`, "expected accessKeyId and secretAccessKey together");
  return sessionToken === undefined ? { accessKeyId, secretAccessKey } : { accessKeyId, secretAccessKey, sessionToken };
};

export const createAuthorizer = (config: ProviderConfig, region: string, now: () => number): Authorizer => {
  const bearer = config.bearerToken ?? config.apiKey;
  if (bearer !== undefined && bearer !== "")
    return {
      secrets: () => [bearer],
      authorize: (request) =>
        Promise.resolve({ ...request, headers: { ...request.headers, authorization: `Bearer ${bearer}` } }),
    };
  const keys = configuredKeys(config);
  const chain = createChain(region, config.id);
  let last = keys;
  return {
    secrets: () =>
      last === undefined ? [] : [last.secretAccessKey, last.sessionToken ?? ""].filter((secret) => secret !== ""),
    authorize: async (request, service) => {
      const credentials = keys ?? (await chain());
      last = credentials;
      const headers: Headers = {};
      for (const [name, value] of Object.entries(request.headers)) if (isSigned(name)) headers[name] = value;
      const { method, url, body = "" } = request;
      const added = signV4({ method, url, headers, body }, credentials, { region, service, now: now() });
      return { ...request, headers: { ...request.headers, ...added } };
    },
  };
};
