// What OpenAI and the hosts like it serve beside chat, over the openai SDK, loaded when first used.
import type OpenAI from "openai";
import type { ClientOptions } from "openai";
import { type JsonObject, isObject } from "../../model/json.ts";
import type { Usage } from "../../model/usage.ts";
import type { WireId } from "../../model/wire-id.ts";
import { decodeOpenAiError } from "../../wires/shared/openai-error.ts";
import type { ProviderServices } from "../provider.ts";
import { sdkError } from "./sdk-error.ts";

export type OpenAiServiceOptions = {
  id: string;
  wire: WireId;
  /** Asked for each call: a token may have been renewed. */
  client: () => ClientOptions | Promise<ClientOptions>;
};

const usageOf = (body: JsonObject): Usage | undefined => {
  const { usage } = body;
  if (!isObject(usage)) return undefined;
  const number = (name: string): number => (typeof usage[name] === "number" ? usage[name] : 0);
  return { input: number("prompt_tokens") || number("input_tokens"), output: number("completion_tokens") || number("output_tokens") };
};

export const openaiServices = (options: OpenAiServiceOptions): ProviderServices => {
  const run = async <T>(signal: AbortSignal, call: (client: OpenAI) => Promise<T>): Promise<T> => {
    try {
      const settings = await options.client();
      const { default: Client } = await import("openai");
      return await call(new Client({ ...settings, maxRetries: 0, logLevel: "off" }));
    } catch (error) {
      throw sdkError(error, options.id, (status, headers, body, target) => decodeOpenAiError(status, headers, body, target, options.wire), signal);
    }
  };
  const answer = (body: JsonObject): { body: JsonObject; usage?: Usage } => {
    const usage = usageOf(body);
    return usage === undefined ? { body } : { body, usage };
  };
  return {
    listModels: (signal) =>
      run(signal, async (client) => {
        const page = await client.models.list({ signal });
        return page.data.map((model) => ({ id: model.id, created: model.created, ownedBy: model.owned_by }));
      }),
    // Raw posts: the SDK's own helper would turn `encoding_format` into base64 and back, and fields it does not know would be lost.
    embeddings: (body, signal) =>
      run(signal, async (client) => answer(await client.post<JsonObject>("/embeddings", { body, signal }))),
    images: (body, signal) =>
      run(signal, async (client) => answer(await client.post<JsonObject>("/images/generations", { body, signal }))),
    speech: (body, signal) =>
      run(signal, async (client) => {
        const response = await client.post("/audio/speech", { body, signal, __binaryResponse: true }).asResponse();
        return { contentType: response.headers.get("content-type") ?? "audio/mpeg", body: response.body ?? empty() };
      }),
    transcribe: ({ task, file, fields }, signal) =>
      run(signal, async (client) => {
        const form = new FormData();
        form.set("file", new File([new Uint8Array(file.bytes)], file.name, { type: file.type }));
        for (const [name, value] of Object.entries(fields))
          if (Array.isArray(value)) for (const each of value) form.append(`${name}[]`, each);
          else form.set(name, value);
        const response = await client.post(`/audio/${task}`, { body: form, signal }).asResponse();
        return { contentType: response.headers.get("content-type") ?? "application/json", body: await response.text() };
      }),
  };
};

async function* empty(): AsyncGenerator<Uint8Array> {
  // A body that was none.
}
