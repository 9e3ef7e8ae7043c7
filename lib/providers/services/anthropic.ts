// What Anthropic serves beside chat: its model list, over its SDK.
import type { ClientOptions } from "@anthropic-ai/sdk";
import type { JsonObject } from "../../model/json.ts";
import { anthropicMessages } from "../../wires/anthropic-messages/index.ts";
import type { ModelInfo, ProviderServices } from "../provider.ts";
import { sdkError } from "./sdk-error.ts";

export const anthropicServices = (options: { id: string; client: () => ClientOptions }): ProviderServices => ({
  listModels: async (signal) => {
    try {
      const settings = options.client();
      const { default: Client } = await import("@anthropic-ai/sdk");
      const { apiKey } = settings;
      const client = new Client({
        ...settings,
        // The header every version of the API takes; the SDK's own is a bearer token.
        defaultHeaders: { ...settings.defaultHeaders, "x-api-key": typeof apiKey === "string" ? apiKey : null },
        maxRetries: 0,
        logLevel: "off",
      });
      const models: ModelInfo[] = [];
      for await (const model of client.models.list({ limit: 1_000 }, { signal })) {
        const info: ModelInfo = {
          id: model.id,
          displayName: model.display_name,
          created: Math.floor(Date.parse(model.created_at) / 1_000) || 0,
          ownedBy: "anthropic",
          native: { wire: "anthropic-messages", value: structuredClone(model) as unknown as JsonObject },
        };
        models.push(info);
      }
      return models;
    } catch (error) {
      throw sdkError(error, options.id, anthropicMessages.decodeError, signal);
    }
  },
});
