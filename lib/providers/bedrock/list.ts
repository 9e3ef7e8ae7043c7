// The models that an account may call in its region: foundation models, and the inference profiles that many are reached by alone.
import { readAll, type TransportResponse } from "../../http/transport.ts";
import { asArray, asObject, asString, compact, isObject, parseJson, type JsonObject } from "../../model/json.ts";
import { bedrockConverse } from "../../wires/bedrock-converse/index.ts";
import type { ModelInfo } from "../provider.ts";

type Get = (path: string) => Promise<TransportResponse>;

const getJson = async (get: Get, path: string, provider: string): Promise<JsonObject> => {
  const response = await get(path);
  const text = Buffer.from(await readAll(response.body)).toString("utf8");
  if (response.status < 400) return asObject(parseJson(text)) ?? {};
  throw bedrockConverse.decodeError(response.status, response.headers, text, {
    provider,
    maker: "bedrock",
    model: "",
    dialect: {},
  });
};

const entries = (body: JsonObject, name: string): JsonObject[] => (asArray(body[name]) ?? []).filter(isObject);

const texts = (value: JsonObject[string]): string[] =>
  (asArray(value) ?? []).filter((entry) => typeof entry === "string");

/** A model that talks and can be called by its own name. */
const isCallable = (model: JsonObject): boolean => {
  const types = texts(model["inferenceTypesSupported"]);
  return texts(model["outputModalities"]).includes("TEXT") && (types.length === 0 || types.includes("ON_DEMAND"));
};

const created = (profile: JsonObject): number | undefined => {
  const time = Date.parse(asString(profile["createdAt"]) ?? "");
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
};

export const listModels = async (get: Get, provider: string): Promise<ModelInfo[]> => {
  const models = entries(await getJson(get, "/foundation-models", provider), "modelSummaries")
    .filter(isCallable)
    .map((model) =>
      compact<ModelInfo>({
        id: asString(model["modelId"]) ?? "",
        displayName: asString(model["modelName"]),
        ownedBy: asString(model["providerName"]),
      }),
    );
  for (let token: string | undefined = ""; token !== undefined;) {
    const query = token === "" ? "" : `&nextToken=${encodeURIComponent(token)}`;
    const page = await getJson(get, `/inference-profiles?maxResults=1000${query}`, provider);
    for (const profile of entries(page, "inferenceProfileSummaries"))
      models.push(
        compact<ModelInfo>({
          id:
            asString(
              profile["type"] === "APPLICATION" ? profile["inferenceProfileArn"] : profile["inferenceProfileId"],
            ) ?? "",
          displayName: asString(profile["inferenceProfileName"]),
          created: created(profile),
          ownedBy: "bedrock",
        }),
      );
    token = asString(page["nextToken"]);
  }
  return models.filter((model) => model.id !== "");
};
