import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../lib/model/json.ts";
import type { ChatRequest } from "../../../lib/model/request.ts";
import { anthropicMessages as wire } from "../../../lib/wires/anthropic-messages/index.ts";
import { assistant, call, decode, encode, result, text, user } from "./builders.ts";
import { request, target } from "./tools.ts";

describe("thinking", () => {
  const thinking = (reasoning: ChatRequest["reasoning"] & {}, model: string, more: Partial<ChatRequest> = {}) => {
    const { body, dropped } = encode({ reasoning, maxOutputTokens: 32_000, ...more }, model);
    return {
      thinking: body["thinking"],
      effort: (body["output_config"] as JsonObject | undefined)?.["effort"],
      dropped,
      body,
    };
  };

  it.each([
    ["claude-opus-5", "none", { type: "disabled" }, undefined],
    ["claude-opus-5", "minimal", { type: "adaptive" }, "low"],
    ["claude-opus-5", "medium", { type: "adaptive" }, "medium"],
    ["claude-opus-5", "xhigh", { type: "adaptive" }, "xhigh"],
    ["claude-opus-4-6", "xhigh", { type: "adaptive" }, "high"],
    ["claude-opus-4-6", "max", { type: "adaptive" }, "max"],
    ["claude-sonnet-4-5", "none", { type: "disabled" }, undefined],
    ["claude-sonnet-4-5", "low", { type: "enabled", budget_tokens: 1024 }, undefined],
    ["claude-sonnet-4-5", "medium", { type: "enabled", budget_tokens: 8192 }, undefined],
    ["claude-sonnet-4-5", "high", { type: "enabled", budget_tokens: 24_576 }, undefined],
    ["claude-sonnet-4-5", "max", { type: "enabled", budget_tokens: 25_600 }, undefined],
  ] as const)("%s at effort %s", (model, effort, expected, level) => {
    const told = thinking({ effort }, model);
    expect(told).toMatchObject({ thinking: expected, dropped: [] });
    expect(told.effort).toBe(level);
  });

  it("turns budgets into efforts where the model takes none, and keeps them in bounds where it does", () => {
    expect(thinking({ budgetTokens: 2000 }, "claude-opus-5")).toMatchObject({
      thinking: { type: "adaptive" },
      effort: "low",
    });
    expect(thinking({ budgetTokens: 2000 }, "claude-opus-4-6")).toMatchObject({
      thinking: { type: "enabled", budget_tokens: 2000 },
    });
    expect(thinking({ budgetTokens: 99_999 }, "claude-sonnet-4-5")).toMatchObject({
      thinking: { budget_tokens: 31_999 },
    });
    expect(thinking({ budgetTokens: 5 }, "claude-sonnet-4-5")).toMatchObject({ thinking: { budget_tokens: 1024 } });
    expect(thinking({ effort: "low" }, "claude-sonnet-4-5", { maxOutputTokens: 500 })).toMatchObject({
      thinking: undefined,
      dropped: ["reasoning"],
    });
  });

  it("turns a client's adaptive thinking into a budget for an older model, and a budget into adaptive for a newer", () => {
    const adaptive = decode({ max_tokens: 32_000, thinking: { type: "adaptive" }, output_config: { effort: "high" } });
    expect(wire.encodeRequest(adaptive, target("claude-sonnet-4-5")).body).toMatchObject({
      thinking: { type: "enabled", budget_tokens: 24_576 },
    });
    const enabled = decode({ max_tokens: 32_000, thinking: { type: "enabled", budget_tokens: 10_000 } });
    expect(wire.encodeRequest(enabled, target("claude-opus-5")).body).toMatchObject({
      thinking: { type: "adaptive" },
      output_config: { effort: "medium" },
    });
  });

  it("lets the host's dialect overrule the model's name", () => {
    const at = target("my-deployment", { dialect: { adaptiveThinking: true } });
    expect(wire.encodeRequest(request({ reasoning: { effort: "high" } }), at).body["thinking"]).toEqual({
      type: "adaptive",
    });
  });

  it("shows what the caller asked to see", () => {
    expect(thinking({ effort: "low", show: "detailed" }, "claude-opus-5").thinking).toEqual({
      type: "adaptive",
      display: "summarized",
    });
    expect(thinking({ effort: "low", show: "none" }, "claude-opus-5").thinking).toEqual({
      type: "adaptive",
      display: "omitted",
    });
  });

  it("gives way to a forced call, and takes no sampling beside it", () => {
    const tools = [{ type: "function", name: "f" } as const];
    expect(thinking({ effort: "low" }, "claude-sonnet-4-5", { tools, toolChoice: { type: "any" } })).toMatchObject({
      thinking: undefined,
      dropped: ["reasoning"],
    });
    expect(thinking({ effort: "low" }, "claude-opus-5", { tools, toolChoice: { type: "any" } })).toMatchObject({
      thinking: undefined,
      effort: "low",
      dropped: [],
    });
    const sampled = thinking({ effort: "low" }, "claude-sonnet-4-5", { sampling: { temperature: 0.2, topK: 5 } });
    expect(sampled.dropped).toEqual(["temperature", "topK"]);
    expect(sampled.body).not.toHaveProperty("temperature");
  });

  it("pauses in a tool loop that began without it, on models with budgets", () => {
    const messages = [user(text("x")), assistant(call("a")), user(result("a"))];
    expect(thinking({ effort: "low" }, "claude-sonnet-4-5", { messages })).toMatchObject({
      thinking: undefined,
      dropped: ["reasoning"],
    });
    expect(thinking({ effort: "low" }, "claude-opus-5", { messages }).thinking).toEqual({ type: "adaptive" });
  });

  it("drops sampling that a model refuses, and what is out of range", () => {
    expect(encode({ sampling: { temperature: 0.3, topP: 0.9 } }, "claude-opus-5").dropped).toEqual([
      "temperature",
      "topP",
    ]);
    const both = encode({ sampling: { temperature: 0.3, topP: 0.9 } }, "claude-sonnet-4-5");
    expect(both).toMatchObject({ body: { temperature: 0.3 }, dropped: ["topP"] });
    expect(encode({ sampling: { temperature: 1.7 } }, "claude-sonnet-4-5")).toMatchObject({
      body: { temperature: 1 },
      dropped: ["temperature"],
    });
  });
});
