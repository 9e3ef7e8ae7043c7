// Hosts that depart from the wire: told by address or id, by model, and overridden by the configuration.
import { describe, expect, it } from "vitest";
import { dialectOf, hostOf } from "../../lib/providers/dialects.ts";
import { createOpenAiCompatible } from "../../lib/providers/openai-compatible.ts";
import type { Dialect } from "../../lib/wires/wire.ts";
import { configOf, createContext } from "./upstream.ts";

const at = (id: string, model: string, baseUrl?: string): Dialect => dialectOf(hostOf(id, baseUrl), model);

describe("dialects", () => {
  it("are told by the address before the id", () => {
    expect(hostOf("mine", "https://openrouter.ai/api/v1").dialect.reasoningEffort).toBe("openrouter");
    expect(hostOf("groq", "https://openrouter.ai/api/v1").dialect.reasoningEffort).toBe("openrouter");
    expect(hostOf("groq", "http://10.0.0.1/v1").dialect.refuses).toContain("logprobs");
    expect(hostOf("mine", "http://localhost:11434/v1").dialect.maxTokensField).toBe("max_tokens");
    expect(hostOf("mine", "http://10.0.0.1/groq.com/v1").dialect).toEqual({});
    expect(hostOf("mine", "https://notx.ai/v1").dialect).toEqual({});
    expect(hostOf("constructor", undefined)).toEqual({ dialect: {} });
  });

  it.each([
    ["groq", "llama-3.3-70b-versatile", { structuredOutput: "tool", reasoningEffort: false }],
    ["groq", "openai/gpt-oss-120b", { structuredOutput: "json_schema", reasoningEffort: true }],
    ["deepseek", "deepseek-v4-pro", { structuredOutput: "json_object", toolChoiceRequired: false }],
    ["deepseek", "deepseek-chat", { structuredOutput: "tool", toolChoiceRequired: true }],
    [
      "xai",
      "grok-4-fast-reasoning",
      { reasoningEffort: false, refuses: ["presence_penalty", "frequency_penalty", "stop"] },
    ],
    ["xai", "grok-3-mini", { refuses: ["presence_penalty", "frequency_penalty", "stop"] }],
    ["moonshot", "kimi-k2.6", { replayReasoning: "reasoning_content" }],
  ] as const)("%s %s", (id, model, flags) => {
    expect(at(id, model)).toMatchObject(flags);
  });

  it("leave alone what a model does take", () => {
    expect(at("xai", "grok-4.5").reasoningEffort).toBeUndefined();
    expect(at("xai", "grok-4-1-fast-non-reasoning").refuses).toBeUndefined();
    expect(at("xai", "grok-3").refuses).toBeUndefined();
    expect(at("moonshot", "moonshot-v1-8k").refuses).toBeUndefined();
    expect(at("moonshot", "kimi-k2-thinking").refuses).toBeUndefined();
  });

  it("are overridden by the configuration, flag by flag", () => {
    const config = configOf("openai-compatible", { id: "mistral", dialect: { streamOptions: true } });
    const dialect = createOpenAiCompatible(config, createContext()).dialect("mistral-large-latest");
    expect(dialect).toMatchObject({ streamOptions: true, maxTokensField: "max_tokens" });
  });
});
