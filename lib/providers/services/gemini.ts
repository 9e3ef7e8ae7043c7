// What Gemini serves beside chat: its model list by plain HTTP (the SDK has none), embeddings over @google/generative-ai.
import { readAll, type Transport } from "../../http/transport.ts";
import { asArray, asNumber, asObject, asString, type JsonObject, parseJson } from "../../model/json.ts";
import { GatewayError, invalid } from "../../model/error.ts";
import { geminiGenerate } from "../../wires/gemini-generate/index.ts";
import type { ModelInfo, ProviderServices } from "../provider.ts";
import { sdkError } from "./sdk-error.ts";

export type GeminiServiceOptions = { id: string; baseUrl: string; key: () => string; headers: Record<string, string>; transport: Transport };

const textsOf = (input: unknown): string[] => {
  const all = Array.isArray(input) ? input : [input];
  if (all.length === 0 || !all.every((each) => typeof each === "string")) throw invalid("input", "expected a string or strings: this provider takes no tokens");
  return all;
};

const base64Of = (values: readonly number[]): string => Buffer.from(new Float32Array(values).buffer).toString("base64");

export const geminiServices = (options: GeminiServiceOptions): ProviderServices => ({
  listModels: async (signal) => {
    const models: ModelInfo[] = [];
    let token = "";
    do {
      const query = token === "" ? "" : `&pageToken=${encodeURIComponent(token)}`;
      const response = await options.transport.send(
        { method: "GET", url: `${options.baseUrl}/v1beta/models?pageSize=1000${query}`, headers: { ...options.headers, "x-goog-api-key": options.key() } },
        signal,
      );
      const text = Buffer.from(await readAll(response.body)).toString("utf8");
      if (response.status >= 400)
        throw geminiGenerate.decodeError(response.status, response.headers, text, { provider: options.id, maker: "google", model: "", dialect: {} });
      const page = asObject(parseJson(text));
      if (page === undefined) throw new GatewayError("upstream_error", "The provider's model list is not valid JSON.", { provider: options.id });
      for (const each of asArray(page["models"]) ?? []) {
        const value = asObject(each);
        const name = asString(value?.["name"]);
        if (value === undefined || name === undefined) continue;
        const info: ModelInfo = { id: name.replace(/^models\//, ""), ownedBy: "google", native: { wire: "gemini-generate", value } };
        const displayName = asString(value["displayName"]);
        const input = asNumber(value["inputTokenLimit"]);
        const output = asNumber(value["outputTokenLimit"]);
        if (displayName !== undefined) info.displayName = displayName;
        if (input !== undefined) info.inputTokenLimit = input;
        if (output !== undefined) info.outputTokenLimit = output;
        models.push(info);
      }
      token = asString(page["nextPageToken"]) ?? "";
    } while (token !== "");
    return models;
  },
  embeddings: async (body, signal) => {
    const texts = textsOf(body["input"]);
    const model = asString(body["model"]) ?? "";
    const dimensions = asNumber(body["dimensions"]);
    try {
      const { GoogleGenerativeAI } = await import("@google/generative-ai");
      const client = new GoogleGenerativeAI(options.key()).getGenerativeModel({ model }, { baseUrl: options.baseUrl, customHeaders: options.headers });
      const requests = texts.map((text) => ({
        content: { role: "user", parts: [{ text }] },
        ...(dimensions === undefined ? {} : { outputDimensionality: dimensions }),
      }));
      const { embeddings } = await client.batchEmbedContents({ requests }, { signal });
      const data = embeddings.map(({ values }, index): JsonObject => ({
        object: "embedding",
        index,
        embedding: body["encoding_format"] === "base64" ? base64Of(values) : values,
      }));
      // Google does not tell; four characters a token is what its own pages say.
      const input = texts.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0);
      return { body: { object: "list", data, model, usage: { prompt_tokens: input, total_tokens: input } }, usage: { input, output: 0 } };
    } catch (error) {
      throw sdkError(error, options.id, geminiGenerate.decodeError, signal);
    }
  },
});
