// The Bedrock provider against a small HTTP server: counting, listing, and what there is not.
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../lib/model/json.ts";
import { call, claude, json, provider, signal, textOf, upstream, useUpstream } from "./upstream.ts";

useUpstream();

describe("the other operations", () => {
  it("counts Claude's tokens by the model behind the profile (F24)", async () => {
    upstream.answer = json({ inputTokens: 42 });
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
    expect(upstream.seen[0]!.path).toBe("/model/anthropic.claude-sonnet-4-5-20250929-v1%3A0/count-tokens");
    const sent = JSON.parse(upstream.seen[0]!.body) as { input: { invokeModel: { body: string } } };
    expect(JSON.parse(Buffer.from(sent.input.invokeModel.body, "base64").toString("utf8"))).toEqual({
      anthropic_version: "bedrock-2023-05-31",
      messages: [{ role: "user", content: "hi" }],
      thinking: { type: "enabled", budget_tokens: 2000 },
      max_tokens: 2001,
    });
  });

  it("asks the profile itself where the model behind it is refused, and says where nothing can be counted", async () => {
    upstream.answer = json({ message: "The provided model doesn't support counting tokens." }, 400);
    const response = await provider().send(
      call({ model: claude, wire: "anthropic-messages", operation: "count-tokens" }),
      signal,
    );
    expect(upstream.seen.map((request) => request.path.split("/")[2])).toEqual(
      [claude.slice(3), claude].map(encodeURIComponent),
    );
    expect(response.status).toBe(404);
  });

  it("counts a Converse request", async () => {
    upstream.answer = json({ inputTokens: 7 });
    const body = JSON.stringify({ messages: [], system: [{ text: "s" }], inferenceConfig: { maxTokens: 3 } });
    const response = await provider().send(call({ operation: "count-tokens", body }), signal);
    expect(JSON.parse(await textOf(response))).toEqual({ inputTokens: 7 });
    expect(upstream.seen[0]!.path).toBe("/model/amazon.nova-lite-v1%3A0/count-tokens");
    expect(JSON.parse(upstream.seen[0]!.body)).toEqual({
      input: { converse: { messages: [], system: [{ text: "s" }] } },
    });
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
    upstream.answer = (request, response) => {
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
    upstream.answer = json({ message: "no" }, 403, { "x-amzn-errortype": "AccessDeniedException" });
    await expect(provider().services.listModels?.(signal)).rejects.toMatchObject({
      code: "permission",
      details: { provider: "aws" },
    });
  });
});
