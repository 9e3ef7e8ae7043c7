// The configured providers together: who is made when, who claims what, what they list, how they are.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ProviderConfig } from "../../lib/config-types.ts";
import { GatewayError } from "../../lib/model/error.ts";
import { createRegistry, type Registry } from "../../lib/providers/registry.ts";
import { configOf, createContext, json, lasting, startUpstream, type Answer, type Upstream } from "./upstream.ts";

const context = createContext();
let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
beforeEach(() => {
  upstream.seen.length = 0;
});
afterEach(() => upstream.answer(json({})));
afterAll(async () => {
  await context.close();
  await upstream.stop();
});

const openai = (fields: Partial<ProviderConfig> = {}): ProviderConfig =>
  configOf("openai", { apiKey: "sk-openai-canary", baseUrl: `${upstream.url}/openai`, ...fields });
const local = (fields: Partial<ProviderConfig> = {}): ProviderConfig =>
  configOf("openai-compatible", { id: "local", baseUrl: `${upstream.url}/local`, models: ["mine"], ...fields });
const registryOf = (...configs: ProviderConfig[]): Registry => createRegistry(configs, context);

const listing =
  (models: Record<string, string[]>): Answer =>
  (seen, response) => {
    const ids = models[seen.url.split("/")[1] ?? ""];
    if (ids === undefined) json({ error: { message: "Oops sk-openai-canary" } }, 500)(seen, response);
    else json({ data: ids.map((id) => ({ id })) })(seen, response);
  };
const names = (models: { provider: string; id: string }[]): string[] =>
  models.map(({ provider, id }) => `${provider}/${id}`);

describe("registry", () => {
  it("makes a provider once, when first asked for", async () => {
    const registry = registryOf(openai(), local());
    const [one, two] = await Promise.all([registry.get("openai"), registry.get("openai")]);
    expect(one).toBe(two);
    expect(registry.ids).toEqual(["openai", "local"]);
    expect([registry.kindOf("local"), registry.kindOf("nobody")]).toEqual(["openai-compatible", ""]);
    await expect(registry.get("nobody")).rejects.toMatchObject({ code: "model_not_found" });
  });

  it("tells each time what is wrong with a configuration", async () => {
    const registry = registryOf(local({ baseUrl: undefined, models: [] } as unknown as Partial<ProviderConfig>));
    for (let time = 0; time < 2; time += 1)
      await expect(registry.get("local")).rejects.toMatchObject({ details: { param: "providers.local.baseUrl" } });
  });

  it.each([
    ["gpt-5.5", "openai"],
    ["o3-mini", "openai"],
    ["chatgpt-4o-latest", "openai"],
    ["text-embedding-3-small", "openai"],
    ["dall-e-3", "openai"],
    ["gpt-image-1", "openai"],
    ["whisper-1", "openai"],
    ["tts-1-hd", "openai"],
    ["ft:gpt-4o:acme::1", "openai"],
    ["claude-opus-5", "anthropic"],
    ["gemini-3-pro", "gemini"],
    ["models/gemini-3-pro", "gemini"],
    ["gemma-3-27b-it", "gemini"],
    ["text-embedding-004", "gemini"],
    ["gemini-embedding-001", "gemini"],
    ["imagen-4.0-generate-001", "gemini"],
    ["us.anthropic.claude-opus-4-6-v1:0", "bedrock"],
    ["arn:aws:bedrock:us-east-1:1:inference-profile/x", "bedrock"],
    ["mine", "local"],
    ["llama-3", undefined],
    ["order-4", undefined],
  ])("finds whose %s is: %s", (model, provider) => {
    const configs = (["openai", "anthropic", "gemini", "bedrock"] as const).map((kind) =>
      configOf(kind, { apiKey: "key-canary" }),
    );
    expect(registryOf(...configs, local(), configOf("azure-openai")).claim(model)).toBe(provider);
  });

  it("prefers who names the model, then who has a key; Azure comes last", () => {
    const azure = configOf("azure-openai", { id: "west", apiKey: "azure-canary" });
    expect(registryOf(azure, openai()).claim("gpt-5.5")).toBe("openai");
    expect(registryOf(azure, openai({ apiKey: "" })).claim("gpt-5.5")).toBe("west");
    expect(registryOf(openai({ apiKey: "" })).claim("gpt-5.5")).toBe("openai");
    expect(registryOf(openai(), { ...azure, models: ["gpt-5.5"] }).claim("gpt-5.5")).toBe("west");
    expect(registryOf(openai({ id: "first" }), openai({ id: "second" })).claim("gpt-5.5")).toBe("first");
  });

  it("lists everyone's models, and those the configuration names", async () => {
    upstream.answer(listing({ openai: ["gpt-5.5"], local: ["mine", "other"] }));
    expect(names(await registryOf(openai({ models: ["hidden"] }), local()).models(lasting()))).toEqual([
      "openai/gpt-5.5",
      "openai/hidden",
      "local/mine",
      "local/other",
    ]);
  });

  it("keeps lists for five minutes, and asks again on refresh; callers who come together share one question", async () => {
    upstream.answer(listing({ openai: ["a"] }));
    const registry = registryOf(openai());
    await Promise.all([registry.models(lasting()), registry.models(lasting())]);
    context.pass(4 * 60_000);
    await registry.models(lasting());
    expect(upstream.seen).toHaveLength(1);
    registry.refresh();
    upstream.answer(listing({ openai: ["b"] }));
    expect(names(await registry.models(lasting()))).toEqual(["openai/b"]);
    context.pass(6 * 60_000);
    await registry.models(lasting());
    expect(upstream.seen).toHaveLength(3);
  });

  it("shows the last list of a provider that is down, without asking it all the time", async () => {
    upstream.answer(listing({ openai: ["a"], local: ["x"] }));
    const registry = registryOf(openai(), local());
    await registry.models(lasting());
    context.pass(6 * 60_000);
    upstream.answer(listing({ local: ["x", "y"] }));
    expect(names(await registry.models(lasting()))).toEqual(["openai/a", "local/x", "local/y", "local/mine"]);
    const asked = upstream.seen.length;
    expect(names(await registry.models(lasting()))).toContain("openai/a");
    expect(upstream.seen).toHaveLength(asked);
    expect(names(await registryOf(openai({ models: ["named"] })).models(lasting()))).toEqual(["openai/named"]);
  });

  it("asks no provider without a key", async () => {
    const registry = registryOf(openai({ apiKey: "", models: ["named"] }));
    expect(names(await registry.models(lasting()))).toEqual(["openai/named"]);
    expect(await registry.status(lasting())).toEqual([
      {
        id: "openai",
        kind: "openai",
        ok: false,
        state: "unconfigured",
        error: "The provider 'openai' has no key: set OPENAI_API_KEY or providers.openai.apiKey.",
      },
    ]);
    expect(upstream.seen).toHaveLength(0);
  });

  it("tells how each provider is, and no secret (F41)", async () => {
    upstream.answer(listing({ local: ["x"] }));
    const status = await registryOf(openai(), local(), configOf("echo")).status(lasting());
    expect(status).toMatchObject([
      { id: "openai", ok: false, state: "failed", error: "Oops [redacted]" },
      { id: "local", kind: "openai-compatible", ok: true, state: "ok", latencyMs: 0 },
      { id: "echo", ok: true },
    ]);
    expect(JSON.stringify(status)).not.toContain("canary");
  });

  it("lets one caller leave without ending the question for the others", async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    upstream.answer((seen, response) => void held.then(() => listing({ openai: ["a"] })(seen, response)));
    const registry = registryOf(openai());
    const leaving = new AbortController();
    const first = registry.models(leaving.signal);
    const second = registry.models(lasting());
    leaving.abort(new GatewayError("cancelled", "gone"));
    await expect(first).rejects.toMatchObject({ code: "cancelled" });
    release();
    expect(names(await second)).toEqual(["openai/a"]);
    expect(upstream.seen).toHaveLength(1);
  });
});
