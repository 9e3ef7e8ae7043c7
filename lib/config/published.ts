// The JSON Schema of heddle.yaml, as editors take it.
import * as z from "zod/mini";
import { configSchema } from "./schema.ts";

/** The text of heddle.schema.json. */
export const publishedSchema = (): string =>
  `${JSON.stringify({ title: "Heddle configuration", ...z.toJSONSchema(configSchema, { io: "input" }) }, undefined, 2)}\n`;
