// What providers serve beside chat, through the vendors' real SDKs against a stand-in.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { ProviderConfig } from "../../lib/config-types.ts";
import { readAll } from "../../lib/http/transport.ts";
import type { JsonObject } from "../../lib/model/json.ts";
import { createAnthropic } from "../../lib/providers/anthropic.ts";
import { createAzureOpenAi } from "../../lib/providers/azure-openai.ts";
import { createGemini } from "../../lib/providers/gemini.ts";
import { createOpenAiCompatible } from "../../lib/providers/openai-compatible.ts";
import { createOpenAi } from "../../lib/providers/openai.ts";
import type { Provider } from "../../lib/providers/provider.ts";
import { configOf, createContext, json, lasting, start, startUpstream, type Upstream } from "./upstream.ts";

const context = createContext();
let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
beforeEach(() => {
  upstream.seen.length = 0;
  // The SDKs read their own variables, and would say what they do: neither may matter.
  vi.stubEnv("OPENAI_LOG", "debug");
  vi.stubEnv("ANTHROPIC_LOG", "debug");
  vi.stubEnv("OPENAI_ORG_ID", "org-of-the-environment");
  vi.stubEnv("OPENAI_BASE_URL", "http://127.0.0.1:1/of-the-environment");
  vi.stubEnv("ANTHROPIC_AUTH_TOKEN", "token-of-the-environment");
  for (const method of ["debug", "info", "log", "warn", "error"] as const)
    vi.spyOn(console, method).mockImplementation(() => {
      throw new Error("an SDK wrote to the console");
    });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});
afterAll(async () => {
  await context.close();
  await upstream.stop();
});

const openai = (fields: Partial<ProviderConfig> = {}): Provider =>
  createOpenAi(configOf("openai", { apiKey: "sk-openai-canary", baseUrl: `${upstream.url}/v1`, ...fields }), context);
const bodyOf = (at = -1): JsonObject => JSON.parse(upstream.seen.at(at)!.body) as JsonObject;

describe("openai", () => {
  it("lists models", async () => {
    upstream.answer(
      json({ object: "list", data: [{ id: "gpt-5.5", object: "model", created: 7, owned_by: "openai" }] }),
    );
    expect(await openai().services.listModels!(lasting())).toEqual([{ id: "gpt-5.5", created: 7, ownedBy: "openai" }]);
    const [{ url, method, headers }] = upstream.seen as [Upstream["seen"][0]];
    expect([method, url]).toEqual(["GET", "/v1/models"]);
    expect(headers.authorization).toBe("Bearer sk-openai-canary");
    expect(headers["openai-organization"]).toBeUndefined();
  });

  it("takes lists in the shapes of other hosts, without a key", async () => {
    const local = createOpenAiCompatible(
      configOf("openai-compatible", { id: "local", baseUrl: `${upstream.url}/v1`, headers: { "X-Proxy": "yes" } }),
      context,
    );
    upstream.answer(json([{ id: "a/b", context_length: 8192, name: "A B", extra: 1 }, { no: "id" }]));
    expect(await local.services.listModels!(lasting())).toEqual([
      { id: "a/b", displayName: "A B", inputTokenLimit: 8192 },
    ]);
    expect(upstream.seen[0]!.headers.authorization).toBeUndefined();
    expect(upstream.seen[0]!.headers["x-proxy"]).toBe("yes");
    upstream.answer(json({ nothing: "here" }));
    await expect(local.services.listModels!(lasting())).rejects.toMatchObject({ code: "upstream_error" });
  });

  it("passes embeddings both ways as they are", async () => {
    const answer = {
      object: "list",
      data: [{ embedding: "AAAA", index: 0 }],
      usage: { prompt_tokens: 3, total_tokens: 3 },
      new_field: 1,
    };
    upstream.answer(json(answer));
    const asked = { model: "text-embedding-3-small", input: ["a", [1, 2]], encoding_format: "base64", new_field: true };
    const { body, usage } = await openai().services.embeddings!(asked, lasting());
    expect(body).toEqual(answer);
    expect(usage).toEqual({ input: 3, output: 0 });
    expect(bodyOf()).toEqual(asked);
    await openai().services.embeddings!({ model: "m", input: "a" }, lasting());
    expect(bodyOf()).toEqual({ model: "m", input: "a" });
  });

  it("makes images, and refuses to stream them", async () => {
    upstream.answer(json({ created: 1, data: [{ b64_json: "aGk=" }], usage: { input_tokens: 5, output_tokens: 9 } }));
    const { body, usage } = await openai().services.images!({ model: "gpt-image-1", prompt: "x" }, lasting());
    expect(body["data"]).toEqual([{ b64_json: "aGk=" }]);
    expect(usage).toEqual({ input: 5, output: 9 });
    expect(upstream.seen[0]!.url).toBe("/v1/images/generations");
    await expect(openai().services.images!({ model: "m", stream: true }, lasting())).rejects.toMatchObject({
      code: "invalid_request",
      details: { param: "stream" },
    });
  });

  it("streams speech", async () => {
    upstream.answer((_seen, response) => {
      response.writeHead(200, { "content-type": "audio/mpeg" });
      response.write("ID3");
      setTimeout(() => response.end("rest"), 5);
    });
    const { contentType, body } = await openai().services.speech!(
      { model: "tts-1", input: "hi", voice: "alloy" },
      lasting(),
    );
    expect(contentType).toBe("audio/mpeg");
    expect(Buffer.from(await readAll(body)).toString()).toBe("ID3rest");
    expect(upstream.seen[0]!.url).toBe("/v1/audio/speech");
  });

  it("tells when speech breaks off, and lets the provider go when the listener leaves (F30)", async () => {
    upstream.answer((_seen, response) => {
      response.writeHead(200, { "content-type": "audio/mpeg", "content-length": "100" });
      response.write("ID3");
      setTimeout(() => response.destroy(), 5);
    });
    const cut = await openai().services.speech!({ model: "tts-1" }, lasting());
    await expect(readAll(cut.body)).rejects.toMatchObject({ name: "GatewayError" });
    let closed: () => void = () => undefined;
    const left = new Promise<void>((resolve) => (closed = resolve));
    upstream.answer((_seen, response) => {
      response.writeHead(200, { "content-type": "audio/mpeg" });
      response.write("ID3");
      response.on("close", () => closed());
    });
    const endless = await openai().services.speech!({ model: "tts-1" }, lasting());
    for await (const _chunk of endless.body) break;
    await left;
  });

  it("transcribes a form: the file, its name, lists of one", async () => {
    upstream.answer((_seen, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      response.end("hello");
    });
    const form = {
      task: "transcriptions" as const,
      file: { name: "a b.wav", type: "audio/wav", bytes: Buffer.from("RIFF") },
      fields: { model: "whisper-1", response_format: "text", timestamp_granularities: "word", include: ["a", "b"] },
    };
    expect(await openai().services.transcribe!(form, lasting())).toEqual({ contentType: "text/plain", body: "hello" });
    const [{ url, headers, body }] = upstream.seen as [Upstream["seen"][0]];
    expect(url).toBe("/v1/audio/transcriptions");
    expect(headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/);
    expect(body).toContain('name="file"; filename="a b.wav"\r\nContent-Type: audio/wav\r\n\r\nRIFF');
    expect(body).toContain('name="model"\r\n\r\nwhisper-1');
    expect(body).toContain('name="timestamp_granularities[]"\r\n\r\nword');
    expect(body.match(/name="include\[\]"/g)).toHaveLength(2);
    await openai().services.transcribe!({ ...form, task: "translations" }, lasting());
    expect(upstream.seen[1]!.url).toBe("/v1/audio/translations");
  });

  it("asks once: retries are the gateway's", async () => {
    upstream.answer(
      json({ error: { message: "Slow down", type: "requests", code: "rate_limit_exceeded" } }, 429, {
        "retry-after": "7",
        "x-ratelimit-remaining-requests": "0",
      }),
    );
    await expect(openai().services.embeddings!({ model: "m", input: "a" }, lasting())).rejects.toMatchObject({
      code: "rate_limited",
      message: "Slow down",
      details: { provider: "openai", retryAfterMs: 7000, headers: { "x-ratelimit-remaining-requests": "0" } },
    });
    expect(upstream.seen).toHaveLength(1);
  });

  it.each([
    [
      401,
      { error: { message: "Incorrect API key provided: sk-openai-canary", code: "invalid_api_key" } },
      "upstream_authentication",
    ],
    [404, { error: { message: "The model `m` does not exist", code: "model_not_found" } }, "model_not_found"],
    [400, { error: { message: "Bad input for sk-openai-canary", param: "input" } }, "invalid_request"],
    [500, { error: { message: "Oops", type: "server_error" } }, "upstream_error"],
    [503, "down", "overloaded"],
  ])("reads a %i", async (status, body, code) => {
    upstream.answer(json(body, status));
    const thrown = await openai().services.embeddings!({ model: "m", input: "a" }, lasting()).catch(
      (error: unknown) => error,
    );
    expect(thrown).toMatchObject({ name: "GatewayError", code });
    expect(JSON.stringify([(thrown as Error).message, (thrown as { details: unknown }).details])).not.toContain(
      "canary",
    );
  });

  it("tells an answer that is HTML from one that never came", async () => {
    upstream.answer((_seen, response) => {
      response.writeHead(502, { "content-type": "text/html" });
      response.end("<html>Bad gateway</html>");
    });
    await expect(openai().services.listModels!(lasting())).rejects.toMatchObject({ code: "upstream_error" });
    const nobody = openai({ baseUrl: "http://127.0.0.1:1/v1" });
    await expect(nobody.services.listModels!(lasting())).rejects.toMatchObject({ code: "upstream_unreachable" });
    // A redirect would carry the key to who knows whom.
    upstream.answer((_seen, response) => response.writeHead(302, { location: `${upstream.url}/elsewhere` }).end());
    await expect(openai().services.listModels!(lasting())).rejects.toMatchObject({ name: "GatewayError" });
    expect(upstream.seen.some(({ url }) => url === "/elsewhere")).toBe(false);
  });

  it("stops when the caller leaves, and when time is up", async () => {
    upstream.answer(() => undefined);
    const leaving = new AbortController();
    const waiting = openai().services.listModels!(leaving.signal);
    setTimeout(() => leaving.abort(), 10);
    await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
    await expect(openai().services.listModels!(AbortSignal.timeout(20))).rejects.toMatchObject({
      code: "upstream_timeout",
    });
  });

  it("needs the key here too", async () => {
    await expect(openai({ apiKey: "" }).services.listModels!(lasting())).rejects.toMatchObject({
      code: "upstream_authentication",
    });
    expect(upstream.seen).toHaveLength(0);
  });
});

describe("azure-openai", () => {
  const azure = (fields: Partial<ProviderConfig> = {}): Provider =>
    createAzureOpenAi(
      configOf("azure-openai", { baseUrl: upstream.url, tokenCredential: true, ...fields }),
      context,
      () => Promise.resolve({ token: "entra-canary", expiresOnTimestamp: context.now() + 3_600_000 }),
    );

  it("reaches services on both layouts, by token and by key", async () => {
    upstream.answer(json({ data: [] }));
    await azure().services.embeddings!({ model: "emb", input: "a" }, lasting());
    expect(upstream.seen[0]).toMatchObject({
      url: "/openai/v1/embeddings",
      headers: { authorization: "Bearer entra-canary" },
    });
    const classic = azure({ apiVersion: "2024-10-21", tokenCredential: false, apiKey: "azure-canary" });
    await classic.services.embeddings!({ model: "emb", input: "a" }, lasting());
    expect(upstream.seen[1]).toMatchObject({
      url: "/openai/deployments/emb/embeddings?api-version=2024-10-21",
      headers: { "api-key": "azure-canary" },
    });
    expect(upstream.seen[1]!.headers.authorization).toBeUndefined();
    await classic.services.listModels!(lasting());
    expect(upstream.seen[2]!.url).toBe("/openai/models?api-version=2024-10-21");
  });

  it("lists the deployments that the configuration names, not the region's catalogue", async () => {
    upstream.answer(json({ data: [{ id: "gpt-5.5" }, { id: "gpt-4o" }] }));
    expect(await azure({ models: ["gpt-4o"] }).services.listModels!(lasting())).toEqual([{ id: "gpt-4o" }]);
  });
});

describe("anthropic", () => {
  const anthropic = (): Provider =>
    createAnthropic(configOf("anthropic", { apiKey: "sk-ant-canary", baseUrl: `${upstream.url}/v1` }), context);

  it("lists models, page after page", async () => {
    const model = (id: string): JsonObject => ({
      type: "model",
      id,
      display_name: id.toUpperCase(),
      created_at: "2026-01-01T00:00:00Z",
      max_input_tokens: 200_000,
      max_tokens: 64_000,
      new_field: true,
    });
    upstream.answer((seen, response) => {
      const second = seen.url.includes("after_id=a");
      const page = second
        ? { data: [model("b")], has_more: false, first_id: "b", last_id: "b" }
        : { data: [model("a")], has_more: true, first_id: "a", last_id: "a" };
      json(page)(seen, response);
    });
    const models = await anthropic().services.listModels!(lasting());
    expect(models.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(models[0]).toMatchObject({
      displayName: "A",
      created: 1_767_225_600,
      inputTokenLimit: 200_000,
      outputTokenLimit: 64_000,
      native: { wire: "anthropic-messages", value: { id: "a", new_field: true } },
    });
    expect(upstream.seen[0]!.url).toMatch(/^\/v1\/models\?/);
    expect(upstream.seen[0]!.headers["x-api-key"]).toBe("sk-ant-canary");
    expect(upstream.seen[0]!.headers.authorization).toBeUndefined();
  });

  it("reads its errors", async () => {
    upstream.answer(
      json({ type: "error", error: { type: "overloaded_error", message: "Overloaded" }, request_id: "req_1" }, 529),
    );
    await expect(anthropic().services.listModels!(lasting())).rejects.toMatchObject({
      code: "overloaded",
      message: "Overloaded",
      details: { native: { wire: "anthropic-messages", status: 529 } },
    });
    expect(upstream.seen).toHaveLength(1);
  });
});

describe("gemini", () => {
  const gemini = (fields: Partial<ProviderConfig> = {}): Provider =>
    createGemini(configOf("gemini", { apiKey: "AIza-gemini-canary", baseUrl: upstream.url, ...fields }), context);

  it("lists models, page after page", async () => {
    upstream.answer((seen, response) => {
      const page = seen.url.includes("pageToken=p%2F2")
        ? { models: [{ name: "models/b" }] }
        : {
            models: [{ name: "models/a", displayName: "A", inputTokenLimit: 10, outputTokenLimit: 5 }, {}],
            nextPageToken: "p/2",
          };
      json(page)(seen, response);
    });
    const models = await gemini().services.listModels!(lasting());
    expect(models.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(models[0]).toMatchObject({ displayName: "A", inputTokenLimit: 10, outputTokenLimit: 5, ownedBy: "google" });
    expect(upstream.seen[0]).toMatchObject({
      url: "/v1beta/models?pageSize=1000",
      headers: { "x-goog-api-key": "AIza-gemini-canary" },
    });
  });

  it("embeds in OpenAI's shape", async () => {
    upstream.answer(json({ embeddings: [{ values: [0.5, -1] }, { values: [2, 0.25] }] }));
    const asked = { model: "gemini-embedding-001", input: ["one text", "two"], dimensions: 2 };
    const { body, usage } = await gemini({ headers: { "x-proxy": "yes" } }).services.embeddings!(asked, lasting());
    expect(body).toEqual({
      object: "list",
      model: "gemini-embedding-001",
      data: [
        { object: "embedding", index: 0, embedding: [0.5, -1] },
        { object: "embedding", index: 1, embedding: [2, 0.25] },
      ],
      usage: { prompt_tokens: 3, total_tokens: 3 },
    });
    expect(usage).toEqual({ input: 3, output: 0 });
    expect(upstream.seen[0]!.url).toBe("/v1beta/models/gemini-embedding-001:batchEmbedContents");
    expect(upstream.seen[0]!.headers).toMatchObject({ "x-goog-api-key": "AIza-gemini-canary", "x-proxy": "yes" });
    expect(bodyOf()).toEqual({
      requests: ["one text", "two"].map((text) => ({
        model: "models/gemini-embedding-001",
        content: { role: "user", parts: [{ text }] },
        outputDimensionality: 2,
      })),
    });
  });

  it("gives base64 as OpenAI does, and the provider's own count where it tells", async () => {
    upstream.answer(json({ embeddings: [{ values: [0.5, -1] }], usageMetadata: { promptTokenCount: 42 } }));
    const { body, usage } = await gemini().services.embeddings!(
      { model: "gemini-embedding-001", input: "x", encoding_format: "base64" },
      lasting(),
    );
    const [first] = body["data"] as JsonObject[];
    const bytes = Buffer.from(first!["embedding"] as string, "base64");
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([0.5, -1]);
    expect(usage).toEqual({ input: 42, output: 0 });
  });

  it.each([
    [{ input: [1, 2, 3] }, "input"],
    [{ input: [[1], [2]] }, "input"],
    [{ input: [] }, "input"],
    [{}, "input"],
    [{ input: "a", dimensions: "many" }, "dimensions"],
    [{ input: "a", encoding_format: "int8" }, "encoding_format"],
  ])("refuses %j by the field's name", async (fields, param) => {
    await expect(gemini().services.embeddings!({ model: "m", ...fields }, lasting())).rejects.toMatchObject({
      code: "invalid_request",
      details: { param },
    });
  });

  it("reads its errors, and says nothing of the address or the key (F41)", async () => {
    upstream.answer(
      json(
        {
          error: {
            code: 429,
            message: "Quota [x] exceeded",
            status: "RESOURCE_EXHAUSTED",
            details: [{ "@type": "RetryInfo", retryDelay: "34.4s" }],
          },
        },
        429,
      ),
    );
    const thrown = await gemini().services.embeddings!({ model: "m", input: "a" }, lasting()).catch(
      (error: unknown) => error,
    );
    expect(thrown).toMatchObject({
      code: "rate_limited",
      message: "Quota [x] exceeded",
      details: { retryAfterMs: 34_400 },
    });
    upstream.answer(json({ error: { code: 404, message: "models/m is not found", status: "NOT_FOUND" } }, 404));
    await expect(gemini().services.embeddings!({ model: "m", input: "a" }, lasting())).rejects.toMatchObject({
      code: expect.stringMatching(/not_found/) as string,
    });
    const nobody = gemini({ baseUrl: "http://127.0.0.1:1" });
    await expect(nobody.services.embeddings!({ model: "m", input: "a" }, lasting())).rejects.toMatchObject({
      code: "upstream_unreachable",
      message: expect.not.stringContaining("127.0.0.1") as string,
    });
  });

  it("keeps a model's name from leading elsewhere", async () => {
    await expect(gemini().services.embeddings!({ model: "../x", input: "a" }, lasting())).rejects.toMatchObject({
      code: "model_not_found",
    });
  });

  it("draws", async () => {
    const usageMetadata = { promptTokenCount: 4, candidatesTokenCount: 1290, totalTokenCount: 1294 };
    const inlineData = { mimeType: "image/png", data: "aGk=" };
    upstream.answer(
      json({ candidates: [{ content: { role: "model", parts: [{ text: "Here" }, { inlineData }] } }], usageMetadata }),
    );
    const { body, usage } = await gemini().services.images!(
      { model: "gemini-2.5-flash-image", prompt: "a loom", size: "1536x1024" },
      lasting(),
    );
    expect(body).toMatchObject({ created: Math.floor(context.now() / 1000), data: [{ b64_json: "aGk=" }] });
    expect(usage).toEqual({ input: 4, output: 1290 });
    expect(upstream.seen[0]!.url).toBe("/v1beta/models/gemini-2.5-flash-image:generateContent");
    expect(bodyOf()["generationConfig"]).toEqual({
      responseModalities: ["TEXT", "IMAGE"],
      imageConfig: { aspectRatio: "3:2" },
    });
    expect(context.now()).toBe(start);
  });

  it("says so when it drew nothing", async () => {
    upstream.answer(json({ promptFeedback: { blockReason: "SAFETY" } }));
    await expect(gemini().services.images!({ model: "m", prompt: "x" }, lasting())).rejects.toMatchObject({
      code: "content_filtered",
    });
  });

  it.each([
    [{ prompt: "" }, "prompt"],
    [{ prompt: "x", n: 2 }, "n"],
    [{ prompt: "x", size: "1x1" }, "size"],
    [{ prompt: "x", response_format: "url" }, "response_format"],
    [{ prompt: "x", model: "imagen-4" }, "model"],
  ])("refuses an image %j by the field's name", async (fields, param) => {
    await expect(gemini().services.images!({ model: "m", ...fields }, lasting())).rejects.toMatchObject({
      code: "invalid_request",
      details: { param },
    });
  });
});
