// Where each provider's chat calls go, with which headers and credentials.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readAll } from "../../lib/http/transport.ts";
import { createAnthropic } from "../../lib/providers/anthropic.ts";
import { createAzureOpenAi } from "../../lib/providers/azure-openai.ts";
import { createGemini } from "../../lib/providers/gemini.ts";
import { createOpenAiCompatible } from "../../lib/providers/openai-compatible.ts";
import { createOpenAi } from "../../lib/providers/openai.ts";
import type { Provider, UpstreamCall } from "../../lib/providers/provider.ts";
import { callOf, configOf, createContext, lasting, startUpstream, type Seen, type Upstream } from "./upstream.ts";

const context = createContext();
let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
beforeEach(() => {
  upstream.seen.length = 0;
});
afterAll(async () => {
  await context.close();
  await upstream.stop();
});

const sent = async (provider: Provider, call: Partial<UpstreamCall>): Promise<Seen> => {
  const response = await provider.send(callOf(call), lasting());
  await readAll(response.body);
  return upstream.seen.at(-1)!;
};

/** Everything a client may send that is fit to be forwarded by one provider or another. */
const clientHeaders = {
  "anthropic-beta": "context-1m-2025-08-07, interleaved-thinking-2025-05-14",
  "anthropic-version": "2026-10-21",
  "openai-beta": "responses=v1",
  "idempotency-key": "idem-1",
  traceparent: "00-1-2-01",
};

describe("openai", () => {
  const openai = (fields = {}): Provider =>
    createOpenAi(
      configOf("openai", { apiKey: "sk-openai-canary", baseUrl: `${upstream.url}/v1/`, ...fields }),
      context,
    );

  it("sends each operation to its path, the key as a bearer token", async () => {
    const chat = await sent(openai(), { body: '{"a":1}' });
    expect(chat).toMatchObject({ method: "POST", url: "/v1/chat/completions", body: '{"a":1}' });
    expect(chat.headers).toMatchObject({
      authorization: "Bearer sk-openai-canary",
      "content-type": "application/json",
      accept: "application/json",
      "user-agent": "heddle",
    });
    expect((await sent(openai(), { wire: "openai-responses", stream: true })).url).toBe("/v1/responses");
    expect(upstream.seen.at(-1)!.headers.accept).toBe("text/event-stream");
    expect((await sent(openai(), { wire: "openai-responses", operation: "count-tokens" })).url).toBe(
      "/v1/responses/input_tokens",
    );
    expect((await sent(openai(), { wire: "openai-responses", operation: "compact" })).url).toBe(
      "/v1/responses/compact",
    );
  });

  it("refuses what it has no path for", async () => {
    await expect(sent(openai(), { operation: "count-tokens" })).rejects.toMatchObject({ code: "not_implemented" });
    await expect(sent(openai(), { wire: "gemini-generate" })).rejects.toMatchObject({ code: "not_implemented" });
    expect(upstream.seen).toHaveLength(0);
  });

  it("forwards its own client headers alone, and adds the configured ones", async () => {
    const headers = { "OpenAI-Organization": "org-1", "openai-project": "proj-1" };
    const { headers: seen } = await sent(openai({ headers }), { headers: clientHeaders });
    expect(seen).toMatchObject({
      "openai-beta": "responses=v1",
      traceparent: "00-1-2-01",
      "openai-organization": "org-1",
      "openai-project": "proj-1",
    });
    expect(Object.keys(seen).filter((name) => name.startsWith("anthropic-"))).toEqual([]);
    expect(seen).not.toHaveProperty("idempotency-key");
  });

  it("takes a configured header for the credential", async () => {
    const provider = openai({ apiKey: undefined, headers: { Authorization: "Bearer proxy-canary" } });
    expect((await sent(provider, {})).headers.authorization).toBe("Bearer proxy-canary");
    expect(provider.secrets()).toContain("proxy-canary");
  });

  it("names the setting where there is no key, before any call", async () => {
    await expect(sent(openai({ apiKey: undefined }), {})).rejects.toMatchObject({
      code: "upstream_authentication",
      message: "The provider 'openai' has no key: set OPENAI_API_KEY or providers.openai.apiKey.",
    });
    expect(upstream.seen).toHaveLength(0);
  });

  it.each([
    ["gpt-5.5", ["openai-responses", "openai-chat"]],
    ["o3", ["openai-responses", "openai-chat"]],
    ["gpt-4o", ["openai-responses", "openai-chat"]],
    ["gpt-4.1-mini", ["openai-responses", "openai-chat"]],
    ["ft:gpt-4o:acme::1", ["openai-responses", "openai-chat"]],
    ["gpt-4o-audio-preview", ["openai-chat"]],
    ["gpt-audio-mini", ["openai-chat"]],
    ["gpt-4o-search-preview", ["openai-chat"]],
    ["gpt-5-search-api", ["openai-chat"]],
    ["gpt-5.3-codex", ["openai-responses"]],
    ["codex-mini-latest", ["openai-responses"]],
    ["gpt-5-pro-2025-10-06", ["openai-responses"]],
    ["o1-pro", ["openai-responses"]],
    ["o3-deep-research", ["openai-responses"]],
    ["gpt-3.5-turbo", ["openai-chat", "openai-responses"]],
    ["gpt-4-turbo", ["openai-chat", "openai-responses"]],
  ])("speaks for %s: %j", (model, wires) => {
    expect(openai().wires(model)).toEqual(wires);
  });

  it("lets the configuration name the wires of a host in between", () => {
    expect(openai({ wires: ["openai-chat"] }).wires("gpt-5.5")).toEqual(["openai-chat"]);
  });
});

describe("anthropic", () => {
  const anthropic = (fields = {}): Provider =>
    createAnthropic(configOf("anthropic", { apiKey: "sk-ant-canary", baseUrl: upstream.url, ...fields }), context);
  const call = { wire: "anthropic-messages", model: "claude-opus-5" } as const;

  it("sends messages and counts with its own key header and version", async () => {
    const { url, headers } = await sent(anthropic(), call);
    expect(url).toBe("/v1/messages");
    expect(headers).toMatchObject({ "x-api-key": "sk-ant-canary", "anthropic-version": "2023-06-01" });
    expect(headers.authorization).toBeUndefined();
    expect((await sent(anthropic({ baseUrl: `${upstream.url}/v1` }), { ...call, operation: "count-tokens" })).url).toBe(
      "/v1/messages/count_tokens",
    );
  });

  it("passes the client's version", async () => {
    const { headers } = await sent(anthropic(), { ...call, headers: clientHeaders });
    expect(headers["anthropic-version"]).toBe("2026-10-21");
    expect(headers["openai-beta"]).toBeUndefined();
  });

  it.each([
    [["*"], "context-1m-2025-08-07, interleaved-thinking-2025-05-14"],
    [["interleaved-thinking-2025-05-14"], "interleaved-thinking-2025-05-14"],
    [
      ["interleaved-thinking-2025-05-14", "context-1m-2025-08-07"],
      "context-1m-2025-08-07,interleaved-thinking-2025-05-14",
    ],
    [["something-else"], undefined],
    [[], undefined],
  ])("filters beta headers by the allow list %j (F21)", async (betas, passed) => {
    const { headers } = await sent(anthropic({ betas }), { ...call, headers: clientHeaders });
    expect(headers["anthropic-beta"]).toBe(passed);
  });

  it("has one wire and one maker", () => {
    expect(anthropic().wires("claude-opus-5")).toEqual(["anthropic-messages"]);
    expect(anthropic().maker).toBe("anthropic");
  });
});

describe("gemini", () => {
  const gemini = (fields = {}): Provider =>
    createGemini(configOf("gemini", { apiKey: "AIza-gemini-canary", baseUrl: upstream.url, ...fields }), context);
  const call = { wire: "gemini-generate", model: "gemini-3-pro" } as const;

  it("puts the model and the method into the path, the key into a header (F41)", async () => {
    const one = await sent(gemini(), { ...call, headers: clientHeaders });
    expect(one.url).toBe("/v1beta/models/gemini-3-pro:generateContent");
    expect(one.headers).toMatchObject({ "x-goog-api-key": "AIza-gemini-canary", traceparent: "00-1-2-01" });
    expect(one.headers["anthropic-version"] ?? one.headers["openai-beta"]).toBeUndefined();
    expect((await sent(gemini(), { ...call, stream: true })).url).toBe(
      "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse",
    );
    expect((await sent(gemini(), { ...call, operation: "count-tokens" })).url).toBe(
      "/v1beta/models/gemini-3-pro:countTokens",
    );
    expect(upstream.seen.every(({ url }) => !url.includes("canary"))).toBe(true);
  });

  it("takes a version in the address, and names with a folder", async () => {
    expect(
      (await sent(gemini({ baseUrl: `${upstream.url}/v1/` }), { ...call, model: "models/gemini-3-pro" })).url,
    ).toBe("/v1/models/gemini-3-pro:generateContent");
    expect((await sent(gemini(), { ...call, model: "tunedModels/mine" })).url).toBe(
      "/v1beta/tunedModels/mine:generateContent",
    );
  });

  it("never leaves the models' folder, whatever a caller's model is called", async () => {
    expect((await sent(gemini(), { ...call, model: "../files/x?key=1#" })).url).toBe(
      "/v1beta/models/..%2Ffiles%2Fx%3Fkey%3D1%23:generateContent",
    );
    expect((await sent(gemini(), { ...call, model: "\ud800" })).url).toBe("/v1beta/models/%EF%BF%BD:generateContent");
    await expect(sent(gemini(), { ...call, model: ".." })).rejects.toMatchObject({ code: "model_not_found" });
  });
});

describe("azure-openai", () => {
  const azure = (fields = {}, source?: () => Promise<{ token: string; expiresOnTimestamp: number }>): Provider =>
    createAzureOpenAi(
      configOf("azure-openai", { apiKey: "azure-canary", baseUrl: `${upstream.url}/`, ...fields }),
      context,
      source,
    );

  it("uses the v1 layout without an API version", async () => {
    const { url, headers } = await sent(azure(), { model: "my-gpt" });
    expect(url).toBe("/openai/v1/chat/completions");
    expect(headers["api-key"]).toBe("azure-canary");
    expect(headers.authorization).toBeUndefined();
    expect((await sent(azure({ baseUrl: `${upstream.url}/openai/v1/` }), { wire: "openai-responses" })).url).toBe(
      "/openai/v1/responses",
    );
  });

  it("uses the deployment's path with one", async () => {
    const classic = azure({ apiVersion: "2024-10-21" });
    expect((await sent(classic, { model: "my gpt" })).url).toBe(
      "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
    );
    expect(classic.wires("gpt-5.5")).toEqual(["openai-chat"]);
    await expect(sent(classic, { model: ".." })).rejects.toMatchObject({ code: "model_not_found" });
  });

  it("knows that other makers' models speak Chat", () => {
    expect(azure().wires("gpt-5.5")).toEqual(["openai-responses", "openai-chat"]);
    expect(azure().wires("DeepSeek-V3.2")).toEqual(["openai-chat"]);
  });

  it("keeps state with the resource that made it (F48)", () => {
    expect(azure({ id: "west" }).maker).toBe("west");
  });

  it("asks Entra once for callers who come together, and again five minutes before the end", async () => {
    let asked = 0;
    const source = async (): Promise<{ token: string; expiresOnTimestamp: number }> => {
      asked += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return { token: `token-canary-${asked}`, expiresOnTimestamp: context.now() + 3_600_000 };
    };
    const provider = azure({ apiKey: undefined }, source);
    await Promise.all([sent(provider, {}), sent(provider, {}), sent(provider, {})]);
    expect(asked).toBe(1);
    expect(upstream.seen.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill("Bearer token-canary-1"));
    expect(provider.secrets()).toEqual(["token-canary-1"]);
    context.pass(54 * 60_000);
    await sent(provider, {});
    expect(asked).toBe(1);
    context.pass(2 * 60_000);
    expect((await sent(provider, {})).headers.authorization).toBe("Bearer token-canary-2");
  });

  it("lives on with the old token while Entra is down, and then names what to set", async () => {
    let down = false;
    const source = (): Promise<{ token: string; expiresOnTimestamp: number }> =>
      down
        ? Promise.reject(new Error("IMDS is away"))
        : Promise.resolve({ token: "token-one", expiresOnTimestamp: context.now() + 600_000 });
    const provider = azure({ tokenCredential: true }, source);
    await sent(provider, {});
    down = true;
    context.pass(400_000);
    expect((await sent(provider, {})).headers.authorization).toBe("Bearer token-one");
    context.pass(400_000);
    await expect(sent(provider, {})).rejects.toMatchObject({
      code: "upstream_authentication",
      message: expect.stringContaining("AZURE_OPENAI_API_KEY") as string,
    });
    down = false;
    await sent(provider, {});
  });

  it("refuses a configuration without an endpoint", () => {
    expect(() => azure({ baseUrl: undefined })).toThrow(/providers\.azure-openai\.baseUrl.*AZURE_OPENAI_ENDPOINT/);
  });
});

describe("openai-compatible", () => {
  const compatible = (fields = {}): Provider =>
    createOpenAiCompatible(
      configOf("openai-compatible", { id: "local", baseUrl: `${upstream.url}/v1`, ...fields }),
      context,
    );

  it("needs no key", async () => {
    const { url, headers } = await sent(compatible(), {});
    expect(url).toBe("/v1/chat/completions");
    expect(headers.authorization).toBeUndefined();
    expect(compatible().wires("anything")).toEqual(["openai-chat"]);
    expect(compatible().maker).toBe("local");
  });

  it("sends one where it has one", async () => {
    expect((await sent(compatible({ apiKey: "gsk-canary" }), {})).headers.authorization).toBe("Bearer gsk-canary");
  });

  it("knows where well-known hosts are", async () => {
    const seen: string[] = [];
    const transport = {
      ...context.transport,
      send: (request: { url: string }) => (seen.push(request.url), Promise.reject(new Error("stop"))),
    };
    const groq = createOpenAiCompatible(configOf("openai-compatible", { id: "groq" }), { ...context, transport });
    await expect(groq.send(callOf({}), lasting())).rejects.toThrow("stop");
    expect(seen).toEqual(["https://api.groq.com/openai/v1/chat/completions"]);
  });

  it("refuses a configuration without an address", () => {
    expect(() => compatible({ baseUrl: undefined })).toThrow(/providers\.local\.baseUrl/);
  });
});
