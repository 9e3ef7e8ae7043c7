import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../lib/model/json.ts";
import { anthropicMessages as wire } from "../../../lib/wires/anthropic-messages/index.ts";
import { seal } from "../../../lib/wires/shared/seal.ts";
import { decode, minimal, text, thrown } from "./builders.ts";

describe("decodeRequest", () => {
  it("reads strings and blocks alike", () => {
    const decoded = decode({
      system: "Be terse.",
      messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    });
    expect(decoded.system).toEqual([text("Be terse.")]);
    expect(decoded.messages).toEqual(decode().messages);
  });

  it("keeps instructions in mid-conversation where they stand", () => {
    const decoded = decode({ messages: [...minimal.messages, { role: "system", content: "Now in French." }] });
    expect(decoded.messages[1]).toEqual({ role: "system", parts: [text("Now in French.")] });
  });

  it("carries what it does not know: fields, blocks, tools (PROTOCOLS 14)", () => {
    const decoded = decode({
      context_management: { edits: [] },
      thread: { type: "create" },
      output_config: { effort: "high", task_budget: { total: 5 } },
      messages: [{ role: "user", content: [{ type: "hologram", size: 3 }] }],
      tools: [{ type: "teleport_20270101", name: "teleport" }],
    });
    expect(decoded.extra).toEqual({
      "anthropic-messages": {
        context_management: { edits: [] },
        thread: { type: "create" },
        output_config: { task_budget: { total: 5 } },
      },
    });
    expect(decoded.messages[0]?.parts).toEqual([
      { type: "opaque", wire: "anthropic-messages", value: { type: "hologram", size: 3 } },
    ]);
    expect(decoded.tools).toEqual([
      { type: "hosted", wire: "anthropic-messages", value: { type: "teleport_20270101", name: "teleport" } },
    ]);
    expect(decoded.reasoning?.effort).toBe("high");
  });

  it.each([
    [{ messages: "Hi" }, "messages"],
    [{ messages: [{ role: "tool", content: "x" }] }, "messages[0].role"],
    [{ messages: [{ role: "user", content: 5 }] }, "messages[0].content"],
    [{ messages: [{ role: "user" }] }, "messages[0].content"],
    [{ messages: [{ role: "user", content: [{ type: "text" }] }] }, "messages[0].content[0].text"],
    [{ messages: [{ role: "user", content: [{ type: "image" }] }] }, "messages[0].content[0].source"],
    [{ messages: [{ role: "user", content: [7] }] }, "messages[0].content[0]"],
    [{ max_tokens: "many" }, "max_tokens"],
    [{ model: 5 }, "model"],
    [{ tools: {} }, "tools"],
    [{ tools: [{ description: "no name" }] }, "tools[0].name"],
    [{ tool_choice: "auto" }, "tool_choice"],
    [{ stop_sequences: [1] }, "stop_sequences"],
    [{ system: [{ type: "image", source: { type: "url", url: "https://a/b" } }] }, "system[0].type"],
  ])("refuses %j by name", (body, param) => {
    expect(thrown(() => decode(body as JsonObject))).toMatchObject({ code: "invalid_request", details: { param } });
  });

  it("demands no limit, as a request to count tokens has none (F24)", () => {
    const { max_tokens: _limit, ...body } = minimal;
    expect(wire.decodeRequest(body, {}).maxOutputTokens).toBeUndefined();
  });

  it("takes the model from the path where the body has none", () => {
    const { model: _model, ...body } = minimal;
    expect(wire.decodeRequest(body, { model: "claude-3-haiku" }).model).toBe("claude-3-haiku");
    expect(() => wire.decodeRequest(body, {})).toThrow("model");
  });

  it("unseals foreign state, and gives a bound one back to its part (F14, F48)", () => {
    const bound = seal({ origin: "google+next", data: "sig" });
    const decoded = decode({
      messages: [
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "", signature: seal({ origin: "openai", data: "enc" }) },
            { type: "redacted_thinking", data: bound },
            { type: "tool_use", id: "toolu_1", name: "f", input: {} },
          ],
        },
      ],
    });
    expect(decoded.messages[0]?.parts).toEqual([
      { type: "reasoning", text: "", opaque: { origin: "openai", data: "enc" } },
      { type: "tool-call", callId: "toolu_1", name: "f", arguments: "{}", opaque: { origin: "google", data: "sig" } },
    ]);
  });

  it("tells the hosted tools that other wires know by their kind", () => {
    const kinds = decode({
      tools: [
        { type: "web_search_20260318", name: "web_search" },
        { type: "web_fetch_20250910", name: "web_fetch" },
        { type: "code_execution_20260120", name: "code_execution" },
        { type: "memory_20250818", name: "memory" },
      ],
    }).tools.map((tool) => (tool.type === "hosted" ? tool.kind : "function"));
    expect(kinds).toEqual(["web-search", "web-fetch", "code-execution", undefined]);
  });
});
