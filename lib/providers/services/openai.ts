// What OpenAI and the hosts like it serve beside chat, over the openai SDK, loaded when first used.
import type OpenAI from "openai";
import type { Headers } from "../../model/call.ts";
import { GatewayError, invalid } from "../../model/error.ts";
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
import type { Usage } from "../../model/usage.ts";
import { decodeOpenAiError } from "../../wires/shared/openai-error.ts";
import type { AudioForm, ModelInfo, ProviderServices } from "../provider.ts";
import { sdkError } from "./sdk-error.ts";

export type OpenAiServiceOptions = {
  /** The provider's id. */
  id: string;
  baseUrl: string;
  /** Credentials and configured headers, asked for each call: a token may have been renewed. Throws where there is no key. */
  headers: () => Headers | Promise<Headers>;
  /** Where the host's layout is not OpenAI's: the path below `baseUrl`. */
  path?: (path: string, model: string) => string;
  /** Which of the listed models can be called. Absent: all. */
  listed?: (model: string) => boolean;
};

/** Everything that the SDK would take from the environment or say on the console is switched off; retries are the gateway's. */
const quiet = {
  maxRetries: 0,
  logLevel: "off",
  apiKey: "sent by the gateway itself",
  adminAPIKey: null,
  organization: null,
  project: null,
  webhookSecret: null,
  // A redirect must not carry the key to another host.
  fetchOptions: { redirect: "manual" },
} as const;

const usageOf = (body: JsonObject): Usage | undefined => {
  const usage = asObject(body["usage"]);
  const input = asNumber(usage?.["prompt_tokens"]) ?? asNumber(usage?.["input_tokens"]);
  if (usage === undefined || input === undefined) return undefined;
  return { input, output: asNumber(usage["completion_tokens"]) ?? asNumber(usage["output_tokens"]) ?? 0 };
};

/** OpenAI's list, and the lengths that hosts add under names of their own. */
const modelOf = (value: Json): ModelInfo | undefined => {
  const model = asObject(value);
  const id = asString(model?.["id"]);
  if (model === undefined || id === undefined) return undefined;
  const number = (...names: string[]): number | undefined =>
    names.map((name) => asNumber(model[name])).find((found) => found !== undefined);
  return compact<ModelInfo>({
    id,
    displayName: asString(model["display_name"]) ?? asString(model["name"]),
    created: asNumber(model["created"]),
    ownedBy: asString(model["owned_by"]),
    inputTokenLimit: number("context_length", "context_window", "max_context_length", "max_model_len"),
    outputTokenLimit: number("max_output_length", "max_completion_tokens"),
  });
};

/** The SDK parses only what is called JSON; some hosts call it text. */
const jsonOf = (answer: Json): Json | undefined => (typeof answer === "string" ? parseJson(answer) : answer);

/** Fields that are lists even when there is one: the form has lost that. */
const lists: ReadonlySet<string> = new Set(["include", "timestamp_granularities", "known_speaker_names"]);

const formOf = ({ file, fields }: AudioForm): FormData => {
  const form = new FormData();
  form.set("file", new File([new Uint8Array(file.bytes)], file.name, { type: file.type }));
  for (const [name, value] of Object.entries(fields)) {
    if (Array.isArray(value) || lists.has(name)) for (const each of [value].flat()) form.append(`${name}[]`, each);
    else form.set(name, value);
  }
  return form;
};

export const openaiServices = (options: OpenAiServiceOptions): ProviderServices => {
  const { id, path = (given) => given } = options;
  let loading: Promise<OpenAI> | undefined;
  const client = (): Promise<OpenAI> =>
    (loading ??= import("openai").then(
      (sdk) => new sdk.OpenAI({ ...quiet, baseURL: options.baseUrl, defaultHeaders: { authorization: null } }),
    ));

  const failure = (thrown: unknown, signal: AbortSignal): GatewayError =>
    sdkError(
      thrown,
      id,
      (status, headers, body, target) => decodeOpenAiError(status, headers, body, target, "openai-chat"),
      signal,
    );
  const run = async <T>(
    signal: AbortSignal,
    call: (client: OpenAI, request: { headers: Headers; signal: AbortSignal }) => Promise<T>,
  ): Promise<T> => {
    const headers = await options.headers();
    try {
      return await call(await client(), { headers, signal });
    } catch (thrown) {
      throw failure(thrown, signal);
    }
  };

  // Raw posts: the SDK's helper turns embeddings into base64 and back, which not every host knows.
  const post = (route: string, body: JsonObject, signal: AbortSignal): Promise<{ body: JsonObject; usage?: Usage }> =>
    run(signal, async (openai, request) => {
      const url = path(route, asString(body["model"]) ?? "");
      const answer = jsonOf(await openai.post<Json>(url, { body, ...request }));
      if (!isObject(answer))
        throw new GatewayError("upstream_error", "The provider's answer is not valid JSON.", { provider: id });
      const usage = usageOf(answer);
      return usage === undefined ? { body: answer } : { body: answer, usage };
    });

  async function* bytesOf(body: ReadableStream<Uint8Array> | null, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    if (body === null) return;
    try {
      yield* body;
    } catch (thrown) {
      throw failure(thrown, signal);
    }
  }

  return {
    listModels: (signal) =>
      run(signal, async (openai, request) => {
        const answer = jsonOf(await openai.get<Json>(path("/models", ""), request));
        const models = asArray(answer) ?? asArray(asObject(answer)?.["data"]);
        if (models === undefined)
          throw new GatewayError("upstream_error", "The provider's model list is not one.", { provider: id });
        return models
          .map(modelOf)
          .filter((model) => model !== undefined)
          .filter((model) => options.listed?.(model.id) ?? true);
      }),
    embeddings: (body, signal) => post("/embeddings", body, signal),
    images: async (body, signal) => {
      if (body["stream"] === true) throw invalid("stream", "images are not streamed here: leave it out");
      return post("/images/generations", body, signal);
    },
    speech: (body, signal) =>
      run(signal, async (openai, request) => {
        const headers = { ...request.headers, accept: "application/octet-stream" };
        const route = path("/audio/speech", asString(body["model"]) ?? "");
        const response = await openai.post(route, { body, ...request, headers }).asResponse();
        const contentType = response.headers.get("content-type") ?? "application/octet-stream";
        return { contentType, body: bytesOf(response.body, signal) };
      }),
    transcribe: (form, signal) =>
      run(signal, async (openai, request) => {
        const { model } = form.fields;
        const route = path(`/audio/${form.task}`, typeof model === "string" ? model : "");
        const response = await openai.post(route, { body: formOf(form), ...request }).asResponse();
        const contentType = response.headers.get("content-type") ?? "application/json";
        return { contentType, body: await response.text() };
      }),
  };
};
