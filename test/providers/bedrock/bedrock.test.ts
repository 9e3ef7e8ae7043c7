// The Bedrock provider against a small HTTP server: where each model's call goes, with which credentials, and what comes back.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ProviderConfig } from "../../../lib/config-types.ts";
import { encodeEventStreamFrame } from "../../../lib/http/eventstream.ts";
import { createNodeTransport } from "../../../lib/http/node-transport.ts";
import { readAll, type TransportResponse } from "../../../lib/http/transport.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import { signV4 } from "../../../lib/providers/aws-sigv4.ts";
import { createBedrock } from "../../../lib/providers/bedrock/index.ts";
import type { Provider, UpstreamCall } from "../../../lib/providers/provider.ts";

type Seen = { method: string; path: string; headers: IncomingMessage["headers"]; body: string };

const transport = createNodeTransport({ connectMs: 2000, headersMs: 5000, idleMs: 5000 });
const now = Date.parse("2026-11-21T04:00:00Z");
let server: Server;
let base = "";
let seen: Seen[] = [];
let answer: (request: Seen, response: ServerResponse) => void = () => undefined;

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one: Seen = {
        method: request.method ?? "",
        path: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString("utf8"),
      };
      seen.push(one);
      answer(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  seen = [];
});
afterAll(async () => {
  await transport.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const provider = (config: Partial<ProviderConfig> = {}): Provider =>
  createBedrock(
    {
      id: "aws",
      kind: "bedrock",
      baseUrl: base,
      region: "eu-west-1",
      bearerToken: "token-canary",
      headers: {},
      models: [],
      dialect: {},
      betas: [],
      ...config,
    },
    { transport, now: () => now },
  );

const call = (fields: Partial<UpstreamCall>): UpstreamCall => ({
  wire: "bedrock-converse",
  operation: "generate",
  model: "us.amazon.nova-lite-v1:0",
  stream: false,
  headers: {},
  body: '{"messages":[]}',
  ...fields,
});

const json =
  (body: JsonObject, status = 200, headers: Record<string, string> = {}) =>
  (_: Seen, response: ServerResponse): void => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };

const frames =
  (...bytes: Uint8Array[]) =>
  (_: Seen, response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" });
    // In odd pieces, as networks do.
    const all = Buffer.concat(bytes);
    for (let at = 0; at < all.length; at += 37) response.write(all.subarray(at, at + 37));
    response.end();
  };

const chunk = (event: JsonObject): Uint8Array =>
  encodeEventStreamFrame(
    { ":event-type": "chunk", ":content-type": "application/json", ":message-type": "event" },
    JSON.stringify({ bytes: Buffer.from(JSON.stringify(event)).toString("base64"), p: "abc" }),
  );

const exception = (type: string, message: string): Uint8Array =>
  encodeEventStreamFrame({ ":exception-type": type, ":message-type": "exception" }, JSON.stringify({ message }));

const textOf = async (response: TransportResponse): Promise<string> =>
  Buffer.from(await readAll(response.body)).toString("utf8");
const signal = AbortSignal.timeout(15_000);

const claude = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

describe("where a call goes", () => {
  it.each<[string, Partial<UpstreamCall>, string]>([
    ["Converse", {}, "/model/us.amazon.nova-lite-v1%3A0/converse"],
    ["Converse, streamed", { stream: true }, "/model/us.amazon.nova-lite-v1%3A0/converse-stream"],
    [
      "an ARN",
      { model: "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc" },
      "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse",
    ],
    ["Claude", { model: claude, wire: "anthropic-messages" }, `/model/${encodeURIComponent(claude)}/invoke`],
    [
      "Claude, streamed",
      { model: claude, wire: "anthropic-messages", stream: true },
      `/model/${encodeURIComponent(claude)}/invoke-with-response-stream`,
    ],
    ["Chat", { model: "openai.gpt-oss-120b-1:0", wire: "openai-chat" }, "/openai/v1/chat/completions"],
    ["Responses", { model: "openai.gpt-5.5", wire: "openai-responses" }, "/openai/v1/responses"],
  ])("%s", async (_, fields, path) => {
    answer = json({ ok: true });
    const response = await provider().send(call(fields), signal);
    expect(await textOf(response)).toBe('{"ok":true}');
    expect(seen[0]).toMatchObject({ method: "POST", path });
    expect(seen[0]!.headers).toMatchObject({
      authorization: "Bearer token-canary",
      "content-type": "application/json",
    });
  });

  it("uses AWS's own hosts where no address is given", async () => {
    const urls: string[] = [];
    const recorder = {
      send: (request: { url: string }) =>
        Promise.resolve(urls.push(request.url)).then(() => Promise.reject(new Error("seen"))),
      close: () => Promise.resolve(),
    };
    const make = (region: string) => {
      const { baseUrl: _, ...config } = {
        id: "aws",
        kind: "bedrock" as const,
        baseUrl: "",
        region,
        bearerToken: "t",
        headers: {},
        models: [],
        dialect: {},
        betas: [],
      };
      return createBedrock(config, { transport: recorder, now: () => now });
    };
    const calls: [string, Partial<UpstreamCall>][] = [
      ["us-east-1", {}],
      ["cn-north-1", {}],
      ["us-west-2", { model: "openai.gpt-5.5", wire: "openai-responses" }],
      ["us-west-2", { model: "openai.gpt-oss-120b", wire: "openai-chat" }],
      ["us-west-2", { model: "openai.gpt-oss-120b-1:0", wire: "openai-chat" }],
    ];
    for (const [region, fields] of calls) await expect(make(region).send(call(fields), signal)).rejects.toThrow("seen");
    expect(urls).toEqual([
      "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.amazon.nova-lite-v1%3A0/converse",
      "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/model/us.amazon.nova-lite-v1%3A0/converse",
      "https://bedrock-mantle.us-west-2.api.aws/openai/v1/responses",
      "https://bedrock-mantle.us-west-2.api.aws/v1/chat/completions",
      "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1/chat/completions",
    ]);
  });

  it.each([
    [claude, ["anthropic-messages"], "anthropic"],
    [
      "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0",
      ["anthropic-messages"],
      "anthropic",
    ],
    ["openai.gpt-5.5", ["openai-responses"], "bedrock"],
    ["openai.gpt-oss-20b-1:0", ["openai-chat", "bedrock-converse"], "bedrock"],
    ["meta.llama3-70b-instruct-v1:0", ["bedrock-converse"], "bedrock"],
  ])("%s speaks %j, and its state is %s's", (model, wires, maker) => {
    expect(provider().wires(model)).toEqual(wires);
    expect(provider().makerOf?.(model)).toBe(maker);
    expect(provider().dialect(model).bedrockAnthropic).toBe(maker === "anthropic" ? true : undefined);
  });

  it.each([
    [claude, true],
    ["amazon.nova-pro-v1:0", true],
    ["us-gov.anthropic.claude-3-haiku", true],
    ["global.anthropic.claude-opus-5", true],
    ["arn:aws:bedrock:us-east-1:1:inference-profile/x", true],
    ["arn:aws-us-gov:bedrock:us-gov-west-1:1:provisioned-model/x", true],
    ["claude-opus-5", false],
    ["gpt-5.5", false],
    ["amazonas", false],
  ])("claims %s: %s", (model, claimed) => {
    expect(provider().claims(model)).toBe(claimed);
  });
});

describe("credentials", () => {
  const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret-canary", sessionToken: "session-canary" };
  const unsigned = (config: Partial<ProviderConfig>): Provider => {
    const { bearerToken: _, ...rest } = { ...baseConfig(), ...config };
    return createBedrock(rest, { transport, now: () => now });
  };
  const baseConfig = (): ProviderConfig => ({
    id: "aws",
    kind: "bedrock",
    baseUrl: base,
    region: "eu-west-1",
    bearerToken: "",
    headers: {},
    models: [],
    dialect: {},
    betas: [],
  });

  it("signs with the keys of the configuration, and what is signed arrives as it was signed", async () => {
    answer = json({});
    const made = unsigned(keys);
    await readAll((await made.send(call({ headers: { traceparent: "00-a-b-01" } }), signal)).body);
    const request = seen[0]!;
    expect(request.headers).toMatchObject({
      "x-amz-date": "20261121T040000Z",
      "x-amz-security-token": "session-canary",
      traceparent: "00-a-b-01",
    });
    const expected = signV4(
      {
        method: "POST",
        url: `http://${request.headers.host}${request.path}`,
        headers: { "content-type": request.headers["content-type"]! },
        body: request.body,
      },
      keys,
      { region: "eu-west-1", service: "bedrock", now },
    );
    expect(request.headers.authorization).toBe(expected["authorization"]);
    expect(made.secrets()).toEqual(["secret-canary", "session-canary"]);
  });

  it("asks AWS's own chain where nothing is configured", async () => {
    answer = json({});
    const names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"] as const;
    const before = names.map((name) => [name, process.env[name]] as const);
    try {
      delete process.env["AWS_PROFILE"];
      delete process.env["AWS_SESSION_TOKEN"];
      process.env["AWS_ACCESS_KEY_ID"] = "AKIDCHAIN";
      process.env["AWS_SECRET_ACCESS_KEY"] = "chain-canary";
      const made = unsigned({});
      await readAll((await made.send(call({}), signal)).body);
      expect(seen[0]!.headers.authorization).toContain("Credential=AKIDCHAIN/20261121/eu-west-1/bedrock/aws4_request");
      expect(made.secrets()).toEqual(["chain-canary"]);
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });

  it("refuses half a key and a missing region when it is made", () => {
    expect(() => unsigned({ accessKeyId: "AKID" })).toThrow("accessKeyId and secretAccessKey together");
    expect(() => provider({ region: "" })).toThrow("expected an AWS region");
  });

  it("passes on nothing of a refused signature but that it was refused (F41)", async () => {
    answer = json(
      {
        message:
          "The request signature we calculated does not match. The Canonical String was 'POST x-amz-security-token:session-canary'",
      },
      403,
      {
        "x-amzn-errortype": "InvalidSignatureException:http://internal.amazon.com/",
      },
    );
    const response = await unsigned(keys).send(call({ model: claude, wire: "anthropic-messages" }), signal);
    expect(response.status).toBe(401);
    const text = await textOf(response);
    expect(text).not.toContain("canary");
    expect(JSON.parse(text)).toMatchObject({ type: "error", error: { type: "authentication_error" } });
  });
});

describe("Claude over InvokeModel", () => {
  const invoke = (fields: Partial<UpstreamCall> = {}): UpstreamCall =>
    call({ model: claude, wire: "anthropic-messages", ...fields });

  it("takes model and stream out of the body, and betas from the header into it (F21)", async () => {
    answer = json({});
    const body = JSON.stringify({ model: "x", stream: true, max_tokens: 5, messages: [], anthropic_beta: ["a"] });
    await readAll(
      (
        await provider().send(
          invoke({ body, headers: { "anthropic-beta": "a, b", "anthropic-version": "2023-06-01" } }),
          signal,
        )
      ).body,
    );
    expect(JSON.parse(seen[0]!.body)).toEqual({
      anthropic_version: "bedrock-2023-05-31",
      anthropic_beta: ["a", "b"],
      max_tokens: 5,
      messages: [],
    });
    expect(seen[0]!.headers).not.toHaveProperty("anthropic-beta");
    expect(seen[0]!.headers).not.toHaveProperty("anthropic-version");
  });

  it("leaves a body that is ready byte for byte", async () => {
    answer = json({});
    const body = '{"anthropic_version":"bedrock-2023-05-31", "max_tokens" : 5}';
    await readAll((await provider().send(invoke({ body: new TextEncoder().encode(body) }), signal)).body);
    expect(seen[0]!.body).toBe(body);
  });

  it("unwraps the stream to Anthropic's own", async () => {
    const events: JsonObject[] = [
      { type: "message_start", message: { id: "msg_1" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "héllo 👋" } },
      { index: 0, type: "content_block_stop" },
      { type: "message_stop", "amazon-bedrock-invocationMetrics": { inputTokenCount: 3 } },
    ];
    answer = frames(...events.map(chunk));
    const response = await provider().send(invoke({ stream: true }), signal);
    expect(response.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    expect(await textOf(response)).toBe(
      events.map((event) => `event: ${event["type"] as string}\ndata: ${JSON.stringify(event)}\n\n`).join(""),
    );
    expect(seen[0]!.headers.accept).toBe("application/vnd.amazon.eventstream");
  });

  it.each([
    ["throttlingException", "rate_limit_error"],
    ["validationException", "invalid_request_error"],
    ["serviceUnavailableException", "overloaded_error"],
    ["modelTimeoutException", "timeout_error"],
    ["internalServerException", "api_error"],
    ["modelStreamErrorException", "api_error"],
    ["somethingNewException", "api_error"],
  ])("tells %s as Anthropic's %s, in the stream (F26)", async (name, type) => {
    answer = frames(chunk({ type: "message_start", message: {} }), exception(name, "Told."));
    const text = await textOf(await provider().send(invoke({ stream: true }), signal));
    expect(text.split("\n\n")[1]).toBe(
      `event: error\ndata: {"type":"error","error":{"type":"${type}","message":"Told."}}`,
    );
  });

  it("a stream cut in the middle of a frame fails (F26)", async () => {
    answer = frames(chunk({ type: "message_start", message: {} }).subarray(0, -9));
    const response = await provider().send(invoke({ stream: true }), signal);
    await expect(readAll(response.body)).rejects.toMatchObject({ code: "upstream_error" });
  });

  it("lets the connection go when the reader leaves before its first read (F30)", async () => {
    let closed: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    answer = (_, response) => {
      response.on("close", closed);
      response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" }).write(chunk({ type: "ping" }));
    };
    const response = await provider().send(invoke({ stream: true }), signal);
    await response.body[Symbol.asyncIterator]().return?.();
    await expect(gone).resolves.toBeUndefined();
  });

  it.each([
    [400, "ValidationException", "The provided model identifier is invalid.", 404, "not_found_error"],
    [400, "ValidationException", "max_tokens: required", 400, "invalid_request_error"],
    [429, "ThrottlingException", "Too many requests", 429, "rate_limit_error"],
    [403, "AccessDeniedException", "You don't have access to the model", 403, "permission_error"],
    [503, "ServiceUnavailableException", "Busy", 529, "overloaded_error"],
    [500, "InternalServerException", "Oops", 500, "api_error"],
  ])("tells %i %s in Anthropic's envelope (F28)", async (status, type, message, told, name) => {
    answer = json({ message }, status, { "x-amzn-errortype": `${type}:http://x/`, "retry-after": "7" });
    const response = await provider().send(invoke(), signal);
    expect(response.status).toBe(told);
    expect(response.headers["retry-after"]).toBe("7");
    expect(JSON.parse(await textOf(response))).toEqual({ type: "error", error: { type: name, message } });
  });
});

describe("the other operations", () => {
  it("counts Claude's tokens by the model behind the profile (F24)", async () => {
    answer = json({ inputTokens: 42 });
    const body = JSON.stringify({
      model: claude,
      messages: [{ role: "user", content: "hi" }],
      thinking: { type: "enabled", budget_tokens: 2000 },
    });
    const response = await provider().send(
      call({ model: claude, wire: "anthropic-messages", operation: "count-tokens", body }),
      signal,
    );
    expect(JSON.parse(await textOf(response))).toEqual({ input_tokens: 42 });
    expect(seen[0]!.path).toBe("/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens");
    const sent = JSON.parse(seen[0]!.body) as { input: { invokeModel: { body: string } } };
    expect(JSON.parse(Buffer.from(sent.input.invokeModel.body, "base64").toString("utf8"))).toEqual({
      anthropic_version: "bedrock-2023-05-31",
      messages: [{ role: "user", content: "hi" }],
      thinking: { type: "enabled", budget_tokens: 2000 },
      max_tokens: 2001,
    });
  });

  it("asks the profile itself where the model behind it is refused, and says where nothing can be counted", async () => {
    answer = json({ message: "The provided model doesn't support counting tokens." }, 400);
    const response = await provider().send(
      call({ model: claude, wire: "anthropic-messages", operation: "count-tokens" }),
      signal,
    );
    expect(seen.map((request) => request.path.split("/")[2])).toEqual(
      [claude.slice(3), claude].map(encodeURIComponent),
    );
    expect(response.status).toBe(404);
  });

  it("counts a Converse request", async () => {
    answer = json({ inputTokens: 7 });
    const body = JSON.stringify({ messages: [], system: [{ text: "s" }], inferenceConfig: { maxTokens: 3 } });
    const response = await provider().send(call({ operation: "count-tokens", body }), signal);
    expect(JSON.parse(await textOf(response))).toEqual({ inputTokens: 7 });
    expect(seen[0]!.path).toBe("/model/amazon.nova-lite-v1%3A0/count-tokens");
    expect(JSON.parse(seen[0]!.body)).toEqual({ input: { converse: { messages: [], system: [{ text: "s" }] } } });
  });

  it("offers no compaction, and no counting on OpenAI's wires", async () => {
    await expect(
      provider().send(call({ operation: "compact", wire: "openai-responses" }), signal),
    ).rejects.toMatchObject({ code: "not_implemented" });
    await expect(
      provider().send(call({ operation: "count-tokens", wire: "openai-responses" }), signal),
    ).rejects.toMatchObject({ code: "not_implemented" });
    await expect(provider().send(call({ wire: "gemini-generate" }), signal)).rejects.toMatchObject({
      code: "not_implemented",
    });
  });

  it("lists the models that can be called, and the profiles, page by page", async () => {
    answer = (request, response) => {
      const pages: Record<string, JsonObject> = {
        "/foundation-models": {
          modelSummaries: [
            {
              modelId: "amazon.nova-lite-v1:0",
              modelName: "Nova Lite",
              providerName: "Amazon",
              outputModalities: ["TEXT"],
              inferenceTypesSupported: ["ON_DEMAND"],
            },
            {
              modelId: "anthropic.claude-opus-5",
              outputModalities: ["TEXT"],
              inferenceTypesSupported: ["INFERENCE_PROFILE"],
            },
            {
              modelId: "amazon.titan-embed-text-v2:0",
              outputModalities: ["EMBEDDING"],
              inferenceTypesSupported: ["ON_DEMAND"],
            },
          ],
        },
        "/inference-profiles?maxResults=1000": {
          inferenceProfileSummaries: [
            {
              inferenceProfileId: "us.anthropic.claude-opus-5",
              inferenceProfileName: "US Claude Opus 5",
              createdAt: "2026-01-01T00:00:00Z",
              type: "SYSTEM_DEFINED",
            },
          ],
          nextToken: "a/b",
        },
        "/inference-profiles?maxResults=1000&nextToken=a%2Fb": {
          inferenceProfileSummaries: [
            {
              inferenceProfileId: "abc",
              inferenceProfileArn: "arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc",
              type: "APPLICATION",
            },
          ],
        },
      };
      json(pages[request.path] ?? {})(request, response);
    };
    expect(await provider().services.listModels?.(signal)).toEqual([
      { id: "amazon.nova-lite-v1:0", displayName: "Nova Lite", ownedBy: "Amazon" },
      { id: "us.anthropic.claude-opus-5", displayName: "US Claude Opus 5", created: 1767225600, ownedBy: "bedrock" },
      { id: "arn:aws:bedrock:eu-west-1:1:application-inference-profile/abc", ownedBy: "bedrock" },
    ]);
  });

  it("tells a refused list", async () => {
    answer = json({ message: "no" }, 403, { "x-amzn-errortype": "AccessDeniedException" });
    await expect(provider().services.listModels?.(signal)).rejects.toMatchObject({
      code: "permission",
      details: { provider: "aws" },
    });
  });
});
