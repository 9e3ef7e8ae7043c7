import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../lib/model/json.ts";
import { minimal, roundTrip } from "./builders.ts";

describe("a request's round trip", () => {
  it.each<[string, JsonObject, string?]>([
    [
      "cache hints",
      {
        cache_control: { type: "ephemeral", ttl: "1h" },
        system: [{ type: "text", text: "S", cache_control: { type: "ephemeral" } }],
      },
    ],
    [
      "a scoped cache hint",
      { system: [{ type: "text", text: "S", cache_control: { type: "ephemeral", scope: "global" } }] },
    ],
    [
      "tools",
      {
        tools: [
          {
            name: "f",
            description: "d",
            input_schema: { type: "object", properties: {} },
            strict: true,
            cache_control: { type: "ephemeral" },
            defer_loading: true,
            type: "custom",
          },
        ],
        tool_choice: { type: "tool", name: "f", disable_parallel_tool_use: true },
      },
    ],
    [
      "server tools",
      {
        tools: [
          { type: "web_search_20250305", name: "web_search", max_uses: 2 },
          { type: "bash_20250124", name: "bash" },
        ],
      },
    ],
    ["a budget", { thinking: { type: "enabled", budget_tokens: 2048, display: "omitted" } }],
    ["a budget over the limit (interleaved)", { thinking: { type: "enabled", budget_tokens: 20_000 } }],
    [
      "thinking disabled beside an effort",
      { thinking: { type: "disabled" }, output_config: { effort: "high" } },
      "claude-opus-5",
    ],
    [
      "adaptive thinking",
      { thinking: { type: "adaptive", display: "summarized" }, output_config: { effort: "xhigh" } },
      "claude-opus-5",
    ],
    ["thinking between tools", { thinking: { type: "between_tools" } }, "claude-opus-5"],
    ["an effort alone", { output_config: { effort: "low" } }, "claude-opus-4-6"],
    ["thinking of a new kind", { thinking: { type: "dreaming", depth: 3 } }, "claude-opus-5"],
    ["a schema", { output_config: { format: { type: "json_schema", schema: { type: "object" } } } }],
    [
      "everything else",
      {
        metadata: { user_id: "u" },
        service_tier: "standard_only",
        stop_sequences: ["X"],
        temperature: 0.5,
        top_k: 5,
        container: "c",
        mcp_servers: [{ type: "url", url: "https://m", name: "m" }],
        speed: "fast",
        stream: true,
      },
    ],
  ])("keeps %s", (_name, more, model = "claude-sonnet-4-5") => {
    const { body, dropped } = roundTrip(more, model);
    expect(dropped).toEqual([]);
    expect(body).toEqual({
      ...minimal,
      ...more,
      model,
      messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
    });
  });

  it("keeps every block a user may send", () => {
    const content: JsonObject[] = [
      { type: "tool_result", tool_use_id: "toolu_1", content: "plain" },
      {
        type: "tool_result",
        tool_use_id: "toolu_2",
        is_error: true,
        content: [
          { type: "text", text: "look" },
          { type: "image", source: { type: "base64", media_type: "image/png", data: "AA==" } },
          { type: "document", source: { type: "text", media_type: "text/plain", data: "t" }, title: "T" },
          { type: "search_result", source: "https://s", title: "S", content: [{ type: "text", text: "x" }] },
        ],
      },
      { type: "image", source: { type: "url", url: "https://a/b.png" }, transformations: { oversized_image: "error" } },
      { type: "image", source: { type: "file", file_id: "file_1" } },
      {
        type: "document",
        source: { type: "base64", media_type: "application/pdf", data: "AA==" },
        citations: { enabled: true },
        context: "c",
      },
      { type: "document", source: { type: "content", content: [{ type: "text", text: "one" }] } },
      { type: "container_upload", file_id: "file_2" },
    ];
    const { body, dropped } = roundTrip({ messages: [{ role: "user", content }] });
    expect(dropped).toEqual([]);
    expect(body["messages"]).toEqual([{ role: "user", content }]);
  });

  it("keeps signed, signature-only and redacted thinking byte for byte (F10, F11)", () => {
    const content: JsonObject[] = [
      { type: "thinking", thinking: "Hm.", signature: "c2ln+/==" },
      { type: "thinking", thinking: "", signature: "only" },
      { type: "redacted_thinking", data: "ZGF0YQ==" },
      { type: "tool_use", id: "toolu_1", name: "f", input: { a: 1 }, caller: { type: "direct" } },
    ];
    const { body, dropped } = roundTrip({ messages: [{ role: "assistant", content }] });
    expect(dropped).toEqual([]);
    expect(body["messages"]).toEqual([{ role: "assistant", content }]);
  });

  it("moves the old beta's output_format to where it lives now", () => {
    const format = { type: "json_schema", schema: { type: "object" } };
    const { body } = roundTrip({ output_format: format });
    expect(body["output_config"]).toEqual({ format });
    expect(body["output_format"]).toBeUndefined();
  });

  it("gives the same bytes for the same request (F23)", () => {
    const more = { system: "S", tools: [{ name: "f", input_schema: { type: "object" } }], speed: "fast" };
    expect(JSON.stringify(roundTrip(more))).toBe(JSON.stringify(roundTrip(more)));
  });
});
