// A client of the Siili Agent SDK's API, as its React package calls it: the same requests, the same strict shapes, nulls read as absent.
import * as z from "zod";

const id = z.string().min(1);
const block = z.object({
  id,
  streaming: z.boolean(),
  type: z.enum(["plain", "reasoning", "tool_use", "error"]),
  content: z.string().optional(),
  tool_call_id: z.string().optional(),
  tool_call_args: z.record(z.string(), z.unknown()).optional(),
  tool_name: z.string().optional(),
  tool_call_response: z.string().optional(),
  tool_call_error: z.string().optional(),
});
const attachment = z.object({ file_id: z.string(), mime_type: z.string(), filename: z.string().optional() });
const message = z.object({
  id,
  ai: z.boolean(),
  author_id: z.string(),
  author_name: z.string(),
  timestamp: z.int().positive(),
  blocks: z.array(block),
  attachments: z.array(attachment).optional(),
});
const thread = z.object({ id, messages: z.array(message) });
const summary = z.object({
  thread_id: id,
  title: z.string(),
  message_count: z.number(),
  last_activity_time: z.number(),
  created_at: z.number(),
  author_id: z.string(),
  type: z.string(),
});
const event = z.discriminatedUnion("event_type", [
  z.object({ event_type: z.literal("MessageAdded"), thread_id: id, timestamp: z.number(), data: message }),
  z.object({
    event_type: z.literal("BlockAdded"),
    thread_id: id,
    timestamp: z.number(),
    data: z.object({ message_id: id, block }),
  }),
  z.object({
    event_type: z.literal("StreamingUpdated"),
    thread_id: id,
    timestamp: z.number(),
    data: z.object({ block_id: id, content: z.string() }),
  }),
  z.object({
    event_type: z.literal("BlockFullyAdded"),
    thread_id: id,
    timestamp: z.number(),
    data: z.object({ message_id: id, block_id: id }),
  }),
  z.object({
    event_type: z.literal("ToolResponseReceived"),
    thread_id: id,
    timestamp: z.number(),
    data: z.object({ tool_call_id: id, response: z.string(), error: z.string().optional(), block_id: id }),
  }),
  z.object({
    event_type: z.literal("MessageFullyAdded"),
    thread_id: id,
    timestamp: z.number(),
    data: z.object({ message_id: id }),
  }),
  z.object({
    event_type: z.literal("Error"),
    thread_id: id,
    timestamp: z.number(),
    data: z.object({ error_message: z.string(), error_type: z.string() }),
  }),
]);

export type Message = z.infer<typeof message>;
export type Event = z.infer<typeof event>;

const nullToUndefined = (_key: string, value: unknown): unknown => value ?? undefined;
const read = <T>(schema: z.ZodType<T>, text: string): T => schema.parse(JSON.parse(text, nullToUndefined));

export class Refused extends Error {
  readonly status: number;
  readonly detail: string;
  constructor(status: number, detail: string) {
    super(`${status}: ${detail}`);
    this.status = status;
    this.detail = detail;
  }
}

/** What the client's store makes of a stream: the messages as they stand after it. */
export const storeOf = (events: readonly Event[]): Message[] => {
  const messages: Message[] = [];
  const blockOf = (wanted: string) => messages.flatMap(({ blocks }) => blocks).find((each) => each.id === wanted)!;
  for (const each of events)
    switch (each.event_type) {
      case "MessageAdded":
        messages.push(structuredClone(each.data));
        break;
      case "BlockAdded":
        messages.find((found) => found.id === each.data.message_id)!.blocks.push({ ...each.data.block });
        break;
      case "StreamingUpdated": {
        const found = blockOf(each.data.block_id);
        found.content = (found.content ?? "") + each.data.content;
        break;
      }
      case "BlockFullyAdded":
        blockOf(each.data.block_id).streaming = false;
        break;
      case "ToolResponseReceived":
        blockOf(each.data.block_id).tool_call_response = each.data.response;
        break;
      case "MessageFullyAdded":
        for (const found of messages.find((one) => one.id === each.data.message_id)!.blocks) found.streaming = false;
        break;
      case "Error":
        break;
    }
  return messages;
};

export const siiliClient = (baseUrl: string, headers: Record<string, string> = {}) => {
  const call = async (method: string, path: string, body?: unknown, more: Record<string, string> = {}) => {
    const isForm = body instanceof FormData;
    const response = await fetch(baseUrl + path, {
      method,
      headers: { ...(isForm ? {} : { "content-type": "application/json" }), ...headers, ...more },
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
    });
    if (response.ok) return response;
    const { detail } = read(z.strictObject({ detail: z.string() }), await response.text());
    throw new Refused(response.status, detail);
  };
  const text = async (...args: Parameters<typeof call>): Promise<string> => (await call(...args)).text();
  const done = z.strictObject({ message: z.string() });

  return {
    call,
    createThread: async (request: unknown = {}) => read(thread, await text("POST", "/threads", request)),
    getThread: async (name: string) => read(thread, await text("GET", `/threads/${name}`)),
    deleteThread: async (name: string) => read(done, await text("DELETE", `/threads/${name}`)),
    listThreads: async (filters: Record<string, string> = {}) =>
      read(
        z.object({ threads: z.array(summary), total_count: z.number() }),
        await text("GET", `/threads?${new URLSearchParams(filters).toString()}`),
      ),
    messages: async (name: string) => read(z.array(message), await text("GET", `/threads/${name}/messages`)),
    message: async (name: string, wanted: string) =>
      read(message, await text("GET", `/threads/${name}/messages/${wanted}`)),
    deleteMessage: async (name: string, wanted: string) =>
      read(done, await text("DELETE", `/threads/${name}/messages/${wanted}`)),
    send: async (name: string, request: unknown, more: Record<string, string> = {}) =>
      read(message, await text("POST", `/threads/${name}/messages`, request, more)),
    cancel: async (name: string) =>
      read(z.object({ success: z.boolean(), message: z.string() }), await text("POST", `/threads/${name}/cancel`, {})),
    /** Events as they come; `onEvent` may throw, which ends the reading. */
    stream: async (
      name: string,
      request: unknown,
      more: Record<string, string> = {},
      onEvent: (event: Event) => void = () => undefined,
    ): Promise<Event[]> => {
      const response = await call("POST", `/threads/${name}/messages/stream`, request, more);
      const events: Event[] = [];
      const decoder = new TextDecoder();
      let buffer = "";
      for await (const chunk of response.body!) {
        buffer += decoder.decode(chunk, { stream: true });
        const parts = buffer.split("\n\n");
        buffer = parts.pop() ?? "";
        for (const part of parts) {
          if (part.trim() === "") continue;
          const one = read(event, part);
          events.push(one);
          onEvent(one);
        }
      }
      if (buffer.trim() !== "") throw new Error(`a cut event: ${buffer}`);
      return events;
    },
    upload: async (file: File) => {
      const form = new FormData();
      form.append("file", file);
      const shape = z.object({ file_id: id, mime_type: z.string(), filename: z.string(), size_bytes: z.number() });
      return read(shape, await text("POST", "/files", form));
    },
    file: (name: string) => call("GET", `/files/${name}`),
    deleteFile: async (name: string) =>
      read(z.strictObject({ success: z.boolean() }), await text("DELETE", `/files/${name}`)),
    speech: (request: unknown, path = "/audio/speech") => call("POST", path, request),
    transcribe: async (audio: File, fields: Record<string, string> = {}) => {
      const form = new FormData();
      form.append("file", audio, audio.name);
      for (const [name, value] of Object.entries(fields)) form.append(name, value);
      return read(z.strictObject({ text: z.string() }), await text("POST", "/audio/transcribe", form));
    },
  };
};
export type SiiliClient = ReturnType<typeof siiliClient>;
