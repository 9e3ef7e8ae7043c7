// Embeddings, images and audio through the openai SDK, to a scripted upstream: bodies, binary ones too, and errors.
import OpenAI, { RateLimitError, toFile } from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  jsonAnswer,
  startGateway,
  startUpstream,
  type TestGateway,
  type TestUpstream,
  until,
} from "../support/gateway.ts";
import { providersYaml, rawWires } from "../support/wires.ts";

let upstream: TestUpstream;
let gateway: TestGateway;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(`${providersYaml(upstream.url)}
  echo: { kind: echo }
models: { vectors: openai/text-embedding-3-small }`);
});
beforeEach(() => {
  upstream.requests.length = 0;
});
afterAll(async () => {
  await gateway.stop();
  await upstream.stop();
});

const client = (): OpenAI => new OpenAI({ apiKey: "fake-client-key", baseURL: `${gateway.url}/v1`, maxRetries: 0 });
/** Every byte there is: nothing may take it for text. */
const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => at % 256);
const sent = (): Record<string, unknown> => JSON.parse(upstream.requests.at(-1)!.body) as Record<string, unknown>;

describe("embeddings", () => {
  test("floats, by an alias", async () => {
    upstream.answer(
      jsonAnswer(200, {
        object: "list",
        model: "text-embedding-3-small",
        data: [{ object: "embedding", index: 0, embedding: [0.25, -0.5] }],
        usage: { prompt_tokens: 3, total_tokens: 3 },
        novelty: true,
      }),
    );
    const { data, response } = await client()
      .embeddings.create({ model: "vectors", input: "hi", encoding_format: "float", dimensions: 2 })
      .withResponse();
    expect(data.data[0]?.embedding).toEqual([0.25, -0.5]);
    expect(data.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
    expect(data).toHaveProperty("novelty");
    expect(response.headers.get("heddle-provider")).toBe("openai");
    expect(response.headers.get("heddle-model")).toBe("text-embedding-3-small");
    expect(Number(response.headers.get("heddle-cost"))).toBeGreaterThan(0);
    expect(upstream.requests[0]).toMatchObject({
      url: "/v1/embeddings",
      headers: { authorization: "Bearer fake-openai-key" },
    });
    expect(sent()).toEqual({ model: "text-embedding-3-small", input: "hi", encoding_format: "float", dimensions: 2 });
  });

  test("base64, as the SDK asks for when nobody says otherwise", async () => {
    const vector = new Float32Array([0.25, -0.5, 1]);
    upstream.answer(
      jsonAnswer(200, {
        object: "list",
        model: "m",
        data: [{ object: "embedding", index: 0, embedding: Buffer.from(vector.buffer).toString("base64") }],
        usage: { prompt_tokens: 3, total_tokens: 3 },
      }),
    );
    const answer = await client().embeddings.create({ model: "openai/m", input: ["hi"] });
    expect([...answer.data[0]!.embedding]).toEqual([0.25, -0.5, 1]);
    expect(sent()["encoding_format"]).toBe("base64");
  });

  test("from Gemini", async () => {
    upstream.answer(jsonAnswer(200, { embeddings: [{ values: [0.5, 1] }, { values: [1, 0] }] }));
    const answer = await client().embeddings.create({
      model: "gemini/gemini-embedding-x",
      input: ["one", "two"],
      encoding_format: "float",
    });
    expect(answer.data.map((each) => each.embedding)).toEqual([
      [0.5, 1],
      [1, 0],
    ]);
    expect(upstream.requests[0]?.url).toContain("gemini-embedding-x:batchEmbedContents");
  });

  test("are counted in the call's record", async () => {
    const answer = { object: "list", model: "m", data: [], usage: { prompt_tokens: 5, total_tokens: 5 } };
    upstream.answer(jsonAnswer(200, answer));
    await client().embeddings.create({ model: "openai/m", input: "hi" });
    expect(gateway.logs.at(-1)).toMatchObject({
      operation: "embeddings",
      provider: "openai",
      inputTokens: 5,
      status: 200,
    });
  });
});

describe("images", () => {
  test("as base64", async () => {
    upstream.answer(jsonAnswer(200, { created: 1, data: [{ b64_json: Buffer.from(bytes).toString("base64") }] }));
    const answer = await client().images.generate({
      model: "openai/gpt-image-1",
      prompt: "a heddle",
      size: "1024x1024",
    });
    expect(Buffer.from(answer.data![0]!.b64_json!, "base64").equals(Buffer.from(bytes))).toBe(true);
    expect(upstream.requests[0]?.url).toBe("/v1/images/generations");
    expect(sent()).toEqual({ model: "gpt-image-1", prompt: "a heddle", size: "1024x1024" });
  });

  test("a stream is refused by name", async () => {
    await expect(
      client().images.generate({ model: "openai/gpt-image-1", prompt: "x", stream: true }),
    ).rejects.toMatchObject({
      status: 400,
      param: "stream",
    });
  });
});

describe("speech", () => {
  test("bytes as they are, in many pieces", async () => {
    upstream.answer(async (_request, response) => {
      response.writeHead(200, { "content-type": "audio/mpeg" });
      for (let at = 0; at < bytes.length; at += 10_000) {
        response.write(bytes.subarray(at, at + 10_000));
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    const answer = await client().audio.speech.create({ model: "openai/tts-1", voice: "alloy", input: "hi" });
    expect(answer.headers.get("content-type")).toBe("audio/mpeg");
    expect(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
    expect(sent()).toEqual({ model: "tts-1", voice: "alloy", input: "hi" });
  });

  test("the first bytes are there before the last are made", async () => {
    const heard = Promise.withResolvers<void>();
    upstream.answer(async (_request, response) => {
      response.writeHead(200, { "content-type": "audio/mpeg" });
      response.write(bytes.subarray(0, 1_000));
      await heard.promise;
      response.end(bytes.subarray(1_000, 2_000));
    });
    const answer = await client().audio.speech.create({ model: "openai/tts-1", voice: "alloy", input: "hi" });
    const pieces: Uint8Array[] = [];
    for await (const piece of answer.body! as unknown as AsyncIterable<Uint8Array>) {
      pieces.push(piece);
      heard.resolve();
    }
    expect(Buffer.concat(pieces).equals(Buffer.from(bytes.subarray(0, 2_000)))).toBe(true);
  });

  test("a caller that leaves in the middle ends the provider's work (F30)", async () => {
    upstream.answer((_request, response) => {
      response.writeHead(200, { "content-type": "audio/mpeg" });
      response.write(bytes.subarray(0, 1_000));
    });
    const leaving = new AbortController();
    const answer = await client().audio.speech.create(
      { model: "openai/tts-1", voice: "alloy", input: "hi" },
      { signal: leaving.signal },
    );
    leaving.abort();
    await expect(answer.arrayBuffer().then((all) => all.byteLength)).rejects.toThrow(Error);
    await until(() => upstream.requests[0]?.aborted === true, "the upstream call ends");
    await until(() => gateway.logs.at(-1)?.["disconnected"] === true, "its record");
  });

  test("a provider that breaks off: the caller's answer breaks off too, it does not look whole", async () => {
    upstream.answer((_request, response) => {
      response.writeHead(200, { "content-type": "audio/mpeg" });
      response.write(bytes.subarray(0, 1_000), () => response.destroy());
    });
    const answer = await client().audio.speech.create({ model: "openai/tts-1", voice: "alloy", input: "hi" });
    await expect(answer.arrayBuffer().then((all) => all.byteLength)).rejects.toThrow(Error);
    await until(() => String(gateway.logs.at(-1)?.["error"]).startsWith("upstream_"), "its record");
    expect((await fetch(`${gateway.url}/health/live`)).status).toBe(200);
  });
});

/** What a multipart body holds, read with the platform's own parser. */
const formOf = async (): Promise<FormData> => {
  const { headers } = upstream.requests.at(-1)!;
  return new Response(raw.at(-1), { headers: { "content-type": headers["content-type"] ?? "" } }).formData();
};
/** The upstream's raw bodies: `Seen` has them as text. */
let raw: Uint8Array<ArrayBuffer>[] = [];

describe("transcriptions and translations", () => {
  let recorder: TestUpstream;
  let other: TestGateway;
  let openai: OpenAI;
  let answer: { status: number; type: string; body: string };
  beforeAll(async () => {
    const { createServer } = await import("node:http");
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        raw.push(new Uint8Array(Buffer.concat(chunks)));
        upstream.requests.push({
          method: request.method!,
          url: request.url!,
          headers: request.headers,
          body: "",
          aborted: false,
        });
        response.writeHead(answer.status, { "content-type": answer.type });
        response.end(answer.body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    recorder = {
      url,
      requests: [],
      answer: () => undefined,
      stop: () => new Promise((resolve) => server.close(() => resolve())),
    };
    other = await startGateway(providersYaml(url));
    openai = new OpenAI({ apiKey: "fake", baseURL: `${other.url}/v1`, maxRetries: 0 });
  });
  beforeEach(() => {
    raw = [];
  });
  afterAll(async () => {
    await other.stop();
    await recorder.stop();
  });

  test("the file's bytes and all fields reach the provider", async () => {
    answer = {
      status: 200,
      type: "application/json",
      body: JSON.stringify({ text: "hello", usage: { type: "duration", seconds: 1 } }),
    };
    const transcription = await openai.audio.transcriptions.create({
      model: "openai/gpt-4o-transcribe",
      file: await toFile(bytes, 'höre "dies".wav', { type: "audio/wav" }),
      language: "de",
      temperature: 0.5,
      include: ["logprobs"],
      timestamp_granularities: ["word", "segment"],
    });
    expect(transcription.text).toBe("hello");
    expect(upstream.requests[0]?.url).toBe("/v1/audio/transcriptions");
    const form = await formOf();
    const file = form.get("file") as File;
    expect(file.type).toBe("audio/wav");
    expect(Buffer.from(await file.arrayBuffer()).equals(Buffer.from(bytes))).toBe(true);
    expect(form.get("model")).toBe("gpt-4o-transcribe");
    expect(form.get("language")).toBe("de");
    expect(form.get("temperature")).toBe("0.5");
    expect(form.getAll("include[]")).toEqual(["logprobs"]);
    expect(form.getAll("timestamp_granularities[]")).toEqual(["word", "segment"]);
  });

  test("an answer that is text stays text", async () => {
    answer = { status: 200, type: "text/plain; charset=utf-8", body: "1\n00:00:00,000 --> 00:00:01,000\nGrüße\n" };
    const file = await toFile(bytes, "a.wav");
    const text = await openai.audio.transcriptions.create({ model: "openai/whisper-1", file, response_format: "srt" });
    expect(text).toBe(answer.body);
  });

  test("an answer that is a stream of events", async () => {
    answer = {
      status: 200,
      type: "text/event-stream",
      body: 'data: {"type":"transcript.text.delta","delta":"hel"}\n\ndata: {"type":"transcript.text.done","text":"hello"}\n\n',
    };
    const file = await toFile(bytes, "a.wav");
    const types: string[] = [];
    for await (const event of await openai.audio.transcriptions.create({
      model: "openai/gpt-4o-transcribe",
      file,
      stream: true,
    }))
      types.push(event.type);
    expect(types).toEqual(["transcript.text.delta", "transcript.text.done"]);
  });

  test("translation", async () => {
    answer = { status: 200, type: "application/json", body: JSON.stringify({ text: "hello" }) };
    const file = await toFile(bytes, "a.wav");
    const translation = await openai.audio.translations.create({ model: "openai/whisper-1", file, prompt: "short" });
    expect(translation.text).toBe("hello");
    expect(upstream.requests[0]?.url).toBe("/v1/audio/translations");
    expect((await formOf()).get("prompt")).toBe("short");
  });

  test("a refusal of the provider", async () => {
    answer = {
      status: 413,
      type: "application/json",
      body: JSON.stringify({
        error: { message: "too long", type: "invalid_request_error", param: "file", code: null },
      }),
    };
    const file = await toFile(bytes, "a.wav");
    await expect(openai.audio.transcriptions.create({ model: "openai/whisper-1", file })).rejects.toMatchObject({
      status: 413,
      param: "file",
    });
  });

  test.each([
    ["no form", "application/json", "{}", 415],
    ["a form without a boundary", "multipart/form-data", "x", 415],
    ["a form that is cut off", "multipart/form-data; boundary=b", "--b\r\ncontent-disposition: form-data; name=x", 400],
    [
      "a form without a file",
      "multipart/form-data; boundary=b",
      '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n',
      400,
    ],
    [
      "a form without a model",
      "multipart/form-data; boundary=b",
      '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b--\r\n',
      400,
    ],
    [
      "two models",
      "multipart/form-data; boundary=b",
      '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n--b\r\ncontent-disposition: form-data; name="model"\r\n\r\na\r\n--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nb\r\n--b--\r\n',
      400,
    ],
  ])("%s", async (_name, type, body, status) => {
    const response = await fetch(`${other.url}/v1/audio/transcriptions`, {
      method: "POST",
      headers: { "content-type": type },
      body,
    });
    expect(response.status).toBe(status);
    rawWires["openai-chat"].envelope(await response.json());
    expect(raw).toEqual([]);
  });
});

const calls: Record<string, (openai: OpenAI, model: string) => Promise<unknown>> = {
  embeddings: (openai, model) => openai.embeddings.create({ model, input: "hi" }),
  images: (openai, model) => openai.images.generate({ model, prompt: "hi" }),
  speech: (openai, model) => openai.audio.speech.create({ model, voice: "alloy", input: "hi" }),
  transcriptions: async (openai, model) =>
    openai.audio.transcriptions.create({ model, file: await toFile(bytes, "a.wav") }),
  translations: async (openai, model) =>
    openai.audio.translations.create({ model, file: await toFile(bytes, "a.wav") }),
};

describe.each(Object.entries(calls))("%s", (_name, call) => {
  test.each([
    [400, { message: "bad input", type: "invalid_request_error", param: "input", code: "bad" }],
    [404, { message: "no such model", type: "invalid_request_error", param: "model", code: "model_not_found" }],
  ])("the provider's %i reaches the SDK as it is (F28)", async (status, error) => {
    upstream.answer(jsonAnswer(status, { error }));
    await expect(call(client(), "openai/x")).rejects.toMatchObject({ status, code: error.code, param: error.param });
  });

  test("429 keeps its advice (F29)", async () => {
    // Longer than any pause here: it is the caller's to wait.
    upstream.answer(
      jsonAnswer(429, rawWires["openai-chat"].error(429, "slow down"), {
        "retry-after": "3600",
        "x-ratelimit-remaining-requests": "0",
      }),
    );
    const failure: unknown = await call(client(), "openai/x").catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RateLimitError);
    const { headers } = failure as RateLimitError;
    expect(headers.get("retry-after")).toBe("3600");
    expect(headers.get("x-ratelimit-remaining-requests")).toBe("0");
  });

  test("a refused key of the gateway's own is not shown (F41)", async () => {
    upstream.answer((request, response) =>
      jsonAnswer(401, rawWires["openai-chat"].error(401, `Incorrect API key: ${request.headers.authorization}`))(
        request,
        response,
      ),
    );
    const failure: unknown = await call(client(), "openai/x").catch((error: unknown) => error);
    expect(failure).toMatchObject({ status: 401 });
    expect(JSON.stringify(failure)).not.toContain("fake-openai-key");
    expect(gateway.rawLogs.join("\n")).not.toContain("fake-openai-key");
  });

  test("a failure that may pass is tried again", async () => {
    let tries = 0;
    upstream.answer((request, response) => {
      tries += 1;
      if (tries === 1) return jsonAnswer(500, {}, { "retry-after": "0" })(request, response);
      return jsonAnswer(200, {
        text: "ok",
        data: [],
        object: "list",
        model: "m",
        usage: { prompt_tokens: 1, total_tokens: 1 },
      })(request, response);
    });
    await call(client(), "openai/x");
    expect(tries).toBe(2);
    expect(gateway.logs.at(-1)).toMatchObject({ status: 200, attempts: 2 });
  });

  test("a provider that does not serve it", async () => {
    await expect(call(client(), "anthropic/claude-x")).rejects.toMatchObject({ status: 400, param: "model" });
  });

  test("a model that there is not", async () => {
    await expect(call(client(), "no-such-model")).rejects.toMatchObject({ status: 404, code: "model_not_found" });
  });

  test("echo serves it", async () => {
    await expect(call(client(), "echo/echo")).resolves.toBeDefined();
  });
});

test.each(["/v1/embeddings", "/v1/images/generations", "/v1/audio/speech"])(
  "%s: what is no JSON object is refused",
  async (path) => {
    for (const body of ["", "{", "[]", '"x"', '{"model":3}']) {
      const response = await fetch(gateway.url + path, { method: "POST", body });
      expect([body, response.status]).toEqual([body, 400]);
      rawWires["openai-chat"].envelope(await response.json());
    }
  },
);
