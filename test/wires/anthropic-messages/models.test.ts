import { describe, expect, it } from "vitest";
import { anthropicFacts } from "../../../lib/wires/anthropic-messages/models.ts";

describe("anthropicFacts", () => {
  it.each([
    ["claude-2.1", { thinking: false, adaptive: false, structuredOutput: false, maxOutputTokens: 4096 }],
    ["claude-3-opus-20240229", { thinking: false, maxOutputTokens: 4096 }],
    ["claude-3-5-sonnet-20241022", { thinking: false, structuredOutput: false, maxOutputTokens: 8192 }],
    ["us.anthropic.claude-3-5-sonnet-20240620-v1:0", { thinking: false, maxOutputTokens: 8192 }],
    ["claude-3-7-sonnet-20250219", { thinking: true, adaptive: false, maxOutputTokens: 64_000 }],
    ["claude-sonnet-4-20250514", { thinking: true, adaptive: false, structuredOutput: false, oneSampler: false }],
    [
      "claude-opus-4-1-20250805",
      { structuredOutput: true, adaptive: false, maxOutputTokens: 32_000, oneSampler: true },
    ],
    ["claude-sonnet-4-5", { structuredOutput: true, adaptive: false, budgets: true, effort: false }],
    ["anthropic.claude-haiku-4-5-20251001-v1:0", { structuredOutput: true, adaptive: false, maxOutputTokens: 64_000 }],
    ["claude-opus-4-5", { adaptive: false, effort: true, maxEffort: false }],
    ["claude-sonnet-4-6", { adaptive: true, budgets: true, xhigh: false, maxEffort: true, sampling: true }],
    ["anthropic/claude-opus-4.7", { adaptive: true, budgets: false, xhigh: true, sampling: false, systemTurns: false }],
    ["claude-opus-4-8", { systemTurns: true, xhigh: true }],
    ["claude-sonnet-5", { adaptive: true, structuredOutput: true, xhigh: true, systemTurns: true }],
    ["claude-mythos-preview", { adaptive: true, xhigh: true }],
    ["deepseek-chat", { adaptive: false, structuredOutput: false, thinking: true, maxOutputTokens: 8192 }],
  ])("knows %s", (model, facts) => {
    expect(anthropicFacts(model)).toMatchObject(facts);
  });
});
