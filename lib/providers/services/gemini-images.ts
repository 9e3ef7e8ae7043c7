// Images in OpenAI's shape, made by Gemini's image models over generateContent.
import type { EnhancedGenerateContentResponse, GenerateContentRequest, GenerationConfig } from "@google/generative-ai";
import { GatewayError, invalid } from "../../model/error.ts";
import { asString, type Json, type JsonObject } from "../../model/json.ts";
import type { Usage } from "../../model/usage.ts";

/** OpenAI's sizes as the nearest shape that Gemini draws. */
const shapes: Readonly<Record<string, string>> = {
  "256x256": "1:1",
  "512x512": "1:1",
  "1024x1024": "1:1",
  "1536x1024": "3:2",
  "1024x1536": "2:3",
  "1792x1024": "16:9",
  "1024x1792": "9:16",
};

/** Throws a 400 that names the field that can't be kept. */
export const imageRequestOf = (body: JsonObject): GenerateContentRequest => {
  const prompt = asString(body["prompt"]);
  if (prompt === undefined || prompt === "") throw invalid("prompt", "expected a text");
  if ((body["n"] ?? 1) !== 1) throw invalid("n", "this provider makes one image a call");
  if (body["stream"] === true) throw invalid("stream", "images are not streamed here: leave it out");
  if (body["response_format"] === "url") throw invalid("response_format", "this provider gives b64_json alone");
  if (/imagen/.test(asString(body["model"]) ?? ""))
    throw invalid("model", "Imagen is not reached this way: name a Gemini image model");
  const size = asString(body["size"]) ?? "auto";
  const shape = shapes[size];
  if (size !== "auto" && shape === undefined) throw invalid("size", `expected auto, ${Object.keys(shapes).join(", ")}`);
  // The SDK's types are older than these fields; it sends what it is given.
  const generationConfig: GenerationConfig & JsonObject = {
    responseModalities: ["TEXT", "IMAGE"],
    ...(shape === undefined ? {} : { imageConfig: { aspectRatio: shape } }),
  };
  return { contents: [{ role: "user", parts: [{ text: prompt }] }], generationConfig };
};

/** Throws `content_filtered` where the model drew nothing. `now`: Unix milliseconds. */
export const imagesOf = (
  response: EnhancedGenerateContentResponse,
  provider: string,
  now: number,
): { body: JsonObject; usage?: Usage } => {
  const parts = response.candidates?.[0]?.content?.parts ?? [];
  const images = parts.flatMap((part) => (part.inlineData === undefined ? [] : [part.inlineData.data]));
  if (images.length === 0) {
    const reason = response.promptFeedback?.blockReason ?? response.candidates?.[0]?.finishReason ?? "no reason given";
    throw new GatewayError("content_filtered", `The provider made no image (${reason}).`, { provider });
  }
  const body: JsonObject = {
    created: Math.floor(now / 1000),
    data: images.map((image): Json => ({ b64_json: image })),
  };
  const told = response.usageMetadata;
  if (told === undefined) return { body };
  const usage = { input: told.promptTokenCount, output: told.candidatesTokenCount ?? 0 };
  body["usage"] = {
    input_tokens: usage.input,
    output_tokens: usage.output,
    total_tokens: usage.input + usage.output,
  };
  return { body, usage };
};
