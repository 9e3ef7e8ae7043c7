// Embeddings in OpenAI's shape, as Gemini's batchEmbedContents takes and gives them.
import type { BatchEmbedContentsRequest, BatchEmbedContentsResponse, EmbedContentRequest } from "@google/generative-ai";
import { invalid } from "../../model/error.ts";
import { asNumber, asObject, asString, compact, type Json, type JsonObject } from "../../model/json.ts";
import type { Usage } from "../../model/usage.ts";

const textsOf = (body: JsonObject): string[] => {
  const { input } = body;
  const all = Array.isArray(input) ? input : [input];
  if (all.length === 0) throw invalid("input", "expected at least one text");
  return all.map((text) => {
    if (typeof text !== "string") throw invalid("input", "expected a string or strings: this provider takes no tokens");
    return text;
  });
};

/** Throws a 400 that names the field. */
export const batchOf = (body: JsonObject): BatchEmbedContentsRequest => {
  const dimensions = body["dimensions"] === undefined ? undefined : asNumber(body["dimensions"]);
  if (body["dimensions"] !== undefined && (dimensions === undefined || dimensions < 1))
    throw invalid("dimensions", "expected a positive number");
  const format = body["encoding_format"] ?? "float";
  if (format !== "float" && format !== "base64") throw invalid("encoding_format", "expected float or base64");
  // The SDK's types are older than the field; it sends what it is given.
  const requestOf = (text: string): EmbedContentRequest & { outputDimensionality?: number } =>
    compact({ content: { role: "user", parts: [{ text }] }, outputDimensionality: dimensions });
  return { requests: textsOf(body).map(requestOf) };
};

/** Little-endian 32-bit floats, as OpenAI's. */
const base64Of = (values: readonly number[]): string => {
  const bytes = Buffer.allocUnsafe(values.length * 4);
  values.forEach((value, at) => bytes.writeFloatLE(value, at * 4));
  return bytes.toString("base64");
};

/** Google's own rule of thumb, where it doesn't tell. */
const charactersPerToken = 4;

export const embeddingsOf = (
  body: JsonObject,
  response: BatchEmbedContentsResponse,
): { body: JsonObject; usage: Usage } => {
  const told = asObject((response as unknown as JsonObject)["usageMetadata"]);
  const estimate = textsOf(body).reduce((sum, text) => sum + Math.ceil(text.length / charactersPerToken), 0);
  const input = asNumber(told?.["promptTokenCount"]) ?? estimate;
  const data = (response.embeddings ?? []).map(({ values }, index): Json => ({
    object: "embedding",
    index,
    embedding: body["encoding_format"] === "base64" ? base64Of(values) : values,
  }));
  return {
    body: {
      object: "list",
      data,
      model: asString(body["model"]) ?? "",
      usage: { prompt_tokens: input, total_tokens: input },
    },
    usage: { input, output: 0 },
  };
};
