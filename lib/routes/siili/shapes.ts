// What the client of this API is sent, and how its requests are read. A null is read as absent, unknown fields are left alone.
import { parseBody } from "../../chat/read.ts";
import { invalid } from "../../model/error.ts";
import { isObject, type Json, type JsonObject } from "../../model/json.ts";
import type { RouteContext } from "../route.ts";

export type Block = {
  id: string;
  streaming: boolean;
  type: "plain" | "reasoning" | "tool_use" | "error";
  content?: string;
  tool_call_id?: string;
  tool_call_args?: JsonObject;
  tool_name?: string;
  tool_call_response?: string;
  tool_call_error?: string;
};

export type Attachment = { file_id: string; mime_type: string; filename?: string };

export type Message = {
  id: string;
  ai: boolean;
  author_id: string;
  author_name: string;
  /** UTC milliseconds. */
  timestamp: number;
  blocks: Block[];
  attachments?: Attachment[];
};

export type ThreadSummary = {
  thread_id: string;
  title: string;
  message_count: number;
  last_activity_time: number;
  created_at: number;
  author_id: string;
  type: string;
};

/** A body that may be left out altogether. */
export const readBody = ({ call }: RouteContext): JsonObject => (call.body.length === 0 ? {} : parseBody(call.body));

export const textField = (body: JsonObject, name: string, path = name): string | undefined => {
  const value = body[name] ?? undefined;
  if (value !== undefined && typeof value !== "string") throw invalid(path, "expected a text");
  return value;
};

export const objectField = (body: JsonObject, name: string): JsonObject | undefined => {
  const value: Json | undefined = body[name] ?? undefined;
  if (value !== undefined && !isObject(value)) throw invalid(name, "expected an object");
  return value;
};
