// Answers of the routes beside the main one.
import type { InputTokenCountResponse } from "openai/resources/responses/input-tokens";
import type { JsonObject } from "../../model/json.ts";
import { json } from "./names.ts";

/** `POST /v1/responses/input_tokens`. */
export const encodeInputTokens = (tokens: number): JsonObject =>
  json({ object: "response.input_tokens", input_tokens: tokens } satisfies InputTokenCountResponse);
