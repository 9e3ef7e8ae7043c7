import { expect, it } from "vitest";
import { outputLimit } from "../../lib/providers/model-limits.ts";

it.each([
  ["anthropic", "claude-opus-5", 128_000],
  ["anthropic", "claude-haiku-4-5", 64_000],
  ["anthropic", "something-else", 8192],
  ["bedrock", "us.anthropic.claude-3-5-haiku-20241022-v1:0", 8192],
  ["openai", "gpt-5.5", 128_000],
  ["openai", "gpt-5.2-chat-latest", 16_384],
  ["openai", "gpt-4.1-mini", 32_768],
  ["openai", "ft:gpt-4o-mini:acme::1", 16_384],
  ["openai", "gpt-4-0613", 8192],
  ["openai", "gpt-4-turbo", 4096],
  ["openai", "o3", 100_000],
  ["openai-compatible", "openai/gpt-4o", 16_384],
  ["openai-compatible", "llama-3.3-70b", undefined],
  ["gemini", "gemini-3-pro", 65_536],
  ["gemini", "gemini-2.5-flash-image", 32_768],
  ["gemini", "gemini-2.0-flash", 8192],
  ["gemini", "models/gemini-2.5-pro", 65_536],
] as const)("on %s, %s can make %s tokens", (kind, model, limit) => {
  expect(outputLimit(kind, model)).toBe(limit);
});
