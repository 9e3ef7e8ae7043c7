// Amazon Bedrock: Claude on Anthropic's wire over InvokeModel, OpenAI's models on OpenAI's own, every other model on Converse.
import type { ProviderConfig } from "../../config-types.ts";
import type { TransportRequest, TransportResponse } from "../../http/transport.ts";
import type { Headers } from "../../model/call.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import type { WireId } from "../../model/wire-id.ts";
import { familyOf, makerOf } from "../../wires/bedrock-converse/index.ts";
import type { Dialect } from "../../wires/wire.ts";
import type { Provider, ProviderContext, UpstreamCall } from "../provider.ts";
import { createAuthorizer } from "./auth.ts";
import { countTokens } from "./count.ts";
import { claims, createEndpoints, wiresOf, type Endpoint } from "./endpoints.ts";
import { asAnthropic, invokeBody } from "./invoke.ts";
import { listModels } from "./list.ts";

const regionIn = (baseUrl: string | undefined): string | undefined =>
  /\/\/bedrock[a-z-]*\.([a-z]{2,4}(?:-[a-z]+)+-\d)\./.exec(baseUrl ?? "")?.[1];

/** Paths below the root of OpenAI's API. */
const openaiPaths: Partial<Record<WireId, string>> = {
  "openai-chat": "/chat/completions",
  "openai-responses": "/responses",
};

/** Throws `invalid_request` where the configuration names no region, or half a key. */
export const createBedrock = (config: ProviderConfig, context: ProviderContext): Provider => {
  const region = config.region ?? regionIn(config.baseUrl);
  if (region === undefined || region === "")
    throw invalid(
      `providers.${config.id}.region`,
      "expected an AWS region, such as us-east-1 (or AWS_REGION in the environment)",
    );
  const endpoints = createEndpoints(region, config.baseUrl);
  const authorizer = createAuthorizer(config, region, context.now);

  const post = async (
    endpoint: Endpoint,
    call: UpstreamCall,
    body: Uint8Array | string,
    signal: AbortSignal,
  ): Promise<TransportResponse> => {
    const headers: Headers = {};
    // Anthropic's headers mean nothing to AWS: the betas among them are in the body by now.
    for (const [name, value] of Object.entries(call.headers)) if (!name.startsWith("anthropic-")) headers[name] = value;
    const request: TransportRequest = {
      method: "POST",
      url: endpoint.url,
      headers: { ...headers, ...config.headers, "content-type": "application/json", accept: accepted(call) },
      body,
    };
    return context.transport.send(await authorizer.authorize(request, endpoint.service), signal);
  };

  const send = async (call: UpstreamCall, signal: AbortSignal): Promise<TransportResponse> => {
    const path = openaiPaths[call.wire];
    if (call.operation !== "generate" && (path !== undefined || call.operation === "compact"))
      throw new GatewayError("not_implemented", "Bedrock does not offer this operation.", { provider: config.id });
    if (path !== undefined) {
      const root = endpoints.openai(call.model);
      return post({ ...root, url: root.url + path }, call, call.body, signal);
    }
    if (call.operation === "count-tokens")
      return countTokens(call, config.id, (model, body) =>
        post(endpoints.model(model, "count-tokens"), call, body, signal),
      );
    if (call.wire === "bedrock-converse")
      return post(endpoints.model(call.model, call.stream ? "converse-stream" : "converse"), call, call.body, signal);
    if (call.wire !== "anthropic-messages")
      throw new GatewayError("not_implemented", "Bedrock does not speak this protocol.", { provider: config.id });
    const operation = call.stream ? "invoke-with-response-stream" : "invoke";
    const response = await post(endpoints.model(call.model, operation), call, invokeBody(call), signal);
    return asAnthropic(response, config.id);
  };

  const get = async (path: string, signal: AbortSignal): Promise<TransportResponse> => {
    const endpoint = endpoints.control(path);
    const headers = { ...config.headers, accept: "application/json" };
    const request: TransportRequest = { method: "GET", url: endpoint.url, headers };
    return context.transport.send(await authorizer.authorize(request, endpoint.service), signal);
  };

  const dialect = (model: string): Dialect => ({
    ...(familyOf(model) === "claude" ? { bedrockAnthropic: true } : {}),
    // No model on Bedrock fetches media from the web.
    inlineMedia: true,
    ...config.dialect,
  });

  return {
    id: config.id,
    kind: "bedrock",
    maker: "bedrock",
    makerOf,
    wires: wiresOf,
    dialect,
    claims,
    models: config.models,
    secrets: authorizer.secrets,
    send,
    services: { listModels: (signal) => listModels((path) => get(path, signal), config.id) },
  };
};

const accepted = (call: UpstreamCall): string => {
  if (!call.stream) return "application/json";
  return call.wire === "openai-chat" || call.wire === "openai-responses"
    ? "text/event-stream"
    : "application/vnd.amazon.eventstream";
};
