// What Gemini serves beside chat: its model list by plain HTTP (the SDK has none), embeddings and images over @google/generative-ai.
import type { GenerativeModel } from "@google/generative-ai";
import { readAll, type Transport } from "../../http/transport.ts";
import type { Headers } from "../../model/call.ts";
import { GatewayError } from "../../model/error.ts";
import {
  asArray,
  asNumber,
  asObject,
  asString,
  compact,
  isObject,
  type Json,
  type JsonObject,
  parseJson,
} from "../../model/json.ts";
import { geminiGenerate } from "../../wires/gemini-generate/index.ts";
import type { ModelInfo, ProviderServices } from "../provider.ts";
import { batchOf, embeddingsOf } from "./gemini-embeddings.ts";
import { imageRequestOf, imagesOf } from "./gemini-images.ts";
import { sdkError } from "./sdk-error.ts";

export type GeminiServiceOptions = {
  /** The provider's id. */
  id: string;
  /** Without the version. */
  baseUrl: string;
  version: string;
  key: string;
  /** Configured headers. Throws where there is no key. */
  headers: () => Headers;
  transport: Transport;
  now: () => number;
};

const infoOf = (value: Json): ModelInfo[] => {
  const model = asObject(value);
  const name = asString(model?.["name"]);
  if (model === undefined || name === undefined) return [];
  return [
    compact<ModelInfo>({
      id: name.replace(/^models\//, ""),
      displayName: asString(model["displayName"]),
      ownedBy: "google",
      inputTokenLimit: asNumber(model["inputTokenLimit"]),
      outputTokenLimit: asNumber(model["outputTokenLimit"]),
      native: { wire: "gemini-generate", value: model },
    }),
  ];
};

/** The SDK puts the name into a path as it is. */
const checkedModel = (body: JsonObject): string => {
  const model = asString(body["model"]) ?? "";
  if (!/^(?:models\/|tunedModels\/)?[A-Za-z0-9][\w.-]*$/.test(model))
    throw new GatewayError("model_not_found", "The model's name is not one of Gemini's.", { param: "model" });
  return model;
};

/** Headers that the SDK insists on setting itself. */
const reserved: ReadonlySet<string> = new Set(["x-goog-api-key", "x-goog-api-client"]);

export const geminiServices = (options: GeminiServiceOptions): ProviderServices => {
  const { id, baseUrl, version } = options;

  /** Runs one call of the SDK on one of its models. */
  const run = async <T>(
    body: JsonObject,
    signal: AbortSignal,
    call: (model: GenerativeModel) => Promise<T>,
  ): Promise<T> => {
    const model = checkedModel(body);
    const headers = options.headers();
    const customHeaders = Object.fromEntries(Object.entries(headers).filter(([name]) => !reserved.has(name)));
    try {
      const { GoogleGenerativeAI } = await import("@google/generative-ai");
      const client = new GoogleGenerativeAI(headers["x-goog-api-key"] ?? options.key);
      return await call(client.getGenerativeModel({ model }, { baseUrl, apiVersion: version, customHeaders }));
    } catch (thrown) {
      throw sdkError(thrown, id, geminiGenerate.decodeError, signal);
    }
  };

  const page = async (token: string, signal: AbortSignal): Promise<JsonObject> => {
    const query = token === "" ? "" : `&pageToken=${encodeURIComponent(token)}`;
    const headers = { accept: "application/json", "x-goog-api-key": options.key, ...options.headers() };
    const url = `${baseUrl}/${version}/models?pageSize=1000${query}`;
    const response = await options.transport.send({ method: "GET", url, headers }, signal);
    const text = Buffer.from(await readAll(response.body)).toString("utf8");
    if (response.status >= 400) {
      const target = { provider: id, maker: "google", model: "", dialect: {} };
      throw geminiGenerate.decodeError(response.status, response.headers, text, target);
    }
    const value = parseJson(text);
    if (!isObject(value))
      throw new GatewayError("upstream_error", "The provider's model list is not valid JSON.", { provider: id });
    return value;
  };

  return {
    listModels: async (signal) => {
      const models: ModelInfo[] = [];
      for (let token: string | undefined = ""; token !== undefined;) {
        const value = await page(token, signal);
        models.push(...(asArray(value["models"]) ?? []).flatMap(infoOf));
        token = asString(value["nextPageToken"]);
        if (token === "") token = undefined;
      }
      return models;
    },
    embeddings: async (body, signal) => {
      const batch = batchOf(body);
      return run(body, signal, async (model) => embeddingsOf(body, await model.batchEmbedContents(batch, { signal })));
    },
    images: async (body, signal) => {
      const request = imageRequestOf(body);
      return run(body, signal, async (model) => {
        const { response } = await model.generateContent(request, { signal });
        return imagesOf(response, id, options.now());
      });
    },
  };
};
