// The Bedrock provider against a small HTTP server: where each model's call goes.
import { describe, expect, it } from "vitest";
import { createBedrock } from "../../../lib/providers/bedrock/index.ts";
import type { UpstreamCall } from "../../../lib/providers/provider.ts";
import { call, claude, json, now, provider, signal, textOf, upstream, useUpstream } from "./upstream.ts";

useUpstream();

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
    upstream.answer = json({ ok: true });
    const response = await provider().send(call(fields), signal);
    expect(await textOf(response)).toBe('{"ok":true}');
    expect(upstream.seen[0]).toMatchObject({ method: "POST", path });
    expect(upstream.seen[0]!.headers).toMatchObject({
      authorization: "Bearer token-canary",
      "content-type": "application/json",
    });
  });

  it("never leaves the models' folder, whatever a caller's model is called", async () => {
    upstream.answer = json({ ok: true });
    for (const model of ["..", ".", ""])
      await expect(Promise.resolve().then(() => provider().send(call({ model }), signal))).rejects.toMatchObject({
        code: "model_not_found",
      });
    expect(upstream.seen).toEqual([]);
    await provider().send(call({ model: "../../\ud800" }), signal);
    expect(upstream.seen[0]?.path).toBe("/model/..%2F..%2F%EF%BF%BD/converse");
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
