// What Anthropic serves beside chat: its model list, over its SDK, loaded when first used.
import type Anthropic from "@anthropic-ai/sdk";
import type { Headers } from "../../model/call.ts";
import { compact, type JsonObject } from "../../model/json.ts";
import { anthropicMessages } from "../../wires/anthropic-messages/index.ts";
import type { ModelInfo, ProviderServices } from "../provider.ts";
import { sdkError } from "./sdk-error.ts";

export type AnthropicServiceOptions = {
  /** The provider's id. */
  id: string;
  /** Without `/v1`. */
  baseUrl: string;
  /** Credentials and configured headers. Throws where there is no key. */
  headers: () => Headers;
};

/** Everything that the SDK would take from the environment or say on the console is switched off; retries are the gateway's. */
const quiet = {
  maxRetries: 0,
  logLevel: "off",
  apiKey: "sent by the gateway itself",
  webhookKey: null,
  fetchOptions: { redirect: "manual" },
} as const;

const infoOf = (model: Anthropic.ModelInfo): ModelInfo => {
  const created = Date.parse(model.created_at);
  return compact<ModelInfo>({
    id: model.id,
    displayName: model.display_name,
    created: Number.isNaN(created) ? undefined : Math.floor(created / 1000),
    ownedBy: "anthropic",
    inputTokenLimit: model.max_input_tokens ?? undefined,
    outputTokenLimit: model.max_tokens ?? undefined,
    native: { wire: "anthropic-messages", value: { ...model } as unknown as JsonObject },
  });
};

export const anthropicServices = (options: AnthropicServiceOptions): ProviderServices => {
  let loading: Promise<Anthropic> | undefined;
  const client = (): Promise<Anthropic> =>
    (loading ??= import("@anthropic-ai/sdk").then(
      (sdk) => new sdk.Anthropic({ ...quiet, baseURL: options.baseUrl, defaultHeaders: { authorization: null } }),
    ));
  return {
    listModels: async (signal) => {
      const headers = options.headers();
      try {
        const models: ModelInfo[] = [];
        const anthropic = await client();
        for await (const model of anthropic.models.list({ limit: 1000 }, { signal, headers }))
          models.push(infoOf(model));
        return models;
      } catch (thrown) {
        throw sdkError(thrown, options.id, anthropicMessages.decodeError, signal);
      }
    },
  };
};
