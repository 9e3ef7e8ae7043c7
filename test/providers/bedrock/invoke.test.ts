// The Bedrock provider against a small HTTP server: Claude over InvokeModel.
import { describe, expect, it } from "vitest";
import { readAll } from "../../../lib/http/transport.ts";
import type { JsonObject } from "../../../lib/model/json.ts";
import type { UpstreamCall } from "../../../lib/providers/provider.ts";
import {
  call,
  chunk,
  claude,
  exception,
  frames,
  json,
  provider,
  signal,
  textOf,
  upstream,
  useUpstream,
} from "./upstream.ts";

useUpstream();

describe("Claude over InvokeModel", () => {
  const invoke = (fields: Partial<UpstreamCall> = {}): UpstreamCall =>
    call({ model: claude, wire: "anthropic-messages", ...fields });

  it("takes model and stream out of the body, and betas from the header into it (F21)", async () => {
    upstream.answer = json({});
    const body = JSON.stringify({ model: "x", stream: true, max_tokens: 5, messages: [], anthropic_beta: ["a"] });
    await readAll(
      (
        await provider().send(
          invoke({ body, headers: { "anthropic-beta": "a, b", "anthropic-version": "2023-06-01" } }),
          signal,
        )
      ).body,
    );
    expect(JSON.parse(upstream.seen[0]!.body)).toEqual({
      anthropic_version: "bedrock-2023-05-31",
      anthropic_beta: ["a", "b"],
      max_tokens: 5,
      messages: [],
    });
    expect(upstream.seen[0]!.headers).not.toHaveProperty("anthropic-beta");
    expect(upstream.seen[0]!.headers).not.toHaveProperty("anthropic-version");
  });

  it("leaves a body that is ready byte for byte", async () => {
    upstream.answer = json({});
    const body = '{"anthropic_version":"bedrock-2023-05-31", "max_tokens" : 5}';
    await readAll((await provider().send(invoke({ body: new TextEncoder().encode(body) }), signal)).body);
    expect(upstream.seen[0]!.body).toBe(body);
  });

  it("unwraps the stream to Anthropic's own", async () => {
    const events: JsonObject[] = [
      { type: "message_start", message: { id: "msg_1" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "héllo 👋" } },
      { index: 0, type: "content_block_stop" },
      { type: "message_stop", "amazon-bedrock-invocationMetrics": { inputTokenCount: 3 } },
    ];
    upstream.answer = frames(...events.map(chunk));
    const response = await provider().send(invoke({ stream: true }), signal);
    expect(response.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    expect(await textOf(response)).toBe(
      events.map((event) => `event: ${event["type"] as string}\ndata: ${JSON.stringify(event)}\n\n`).join(""),
    );
    expect(upstream.seen[0]!.headers.accept).toBe("application/vnd.amazon.eventstream");
  });

  it.each([
    ["throttlingException", "rate_limit_error"],
    ["validationException", "invalid_request_error"],
    ["serviceUnavailableException", "overloaded_error"],
    ["modelTimeoutException", "timeout_error"],
    ["internalServerException", "api_error"],
    ["modelStreamErrorException", "api_error"],
    ["somethingNewException", "api_error"],
  ])("tells %s as Anthropic's %s, in the stream (F26)", async (name, type) => {
    upstream.answer = frames(chunk({ type: "message_start", message: {} }), exception(name, "Told."));
    const text = await textOf(await provider().send(invoke({ stream: true }), signal));
    expect(text.split("\n\n")[1]).toBe(
      `event: error\ndata: {"type":"error","error":{"type":"${type}","message":"Told."}}`,
    );
  });

  it("a stream cut in the middle of a frame fails (F26)", async () => {
    upstream.answer = frames(chunk({ type: "message_start", message: {} }).subarray(0, -9));
    const response = await provider().send(invoke({ stream: true }), signal);
    await expect(readAll(response.body)).rejects.toMatchObject({ code: "upstream_error" });
  });

  it("lets the connection go when the reader leaves before its first read (F30)", async () => {
    let closed: () => void = () => undefined;
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    upstream.answer = (_, response) => {
      response.on("close", closed);
      response.writeHead(200, { "content-type": "application/vnd.amazon.eventstream" }).write(chunk({ type: "ping" }));
    };
    const response = await provider().send(invoke({ stream: true }), signal);
    await response.body[Symbol.asyncIterator]().return?.();
    // Well before the transport's own idle timeout, which closes any silent connection.
    const late = new Promise<string>((resolve) => setTimeout(resolve, 1000, "still open"));
    expect(await Promise.race([gone.then(() => "closed"), late])).toBe("closed");
  });

  it.each([
    [400, "ValidationException", "The provided model identifier is invalid.", 404, "not_found_error"],
    [400, "ValidationException", "max_tokens: required", 400, "invalid_request_error"],
    [429, "ThrottlingException", "Too many requests", 429, "rate_limit_error"],
    [403, "AccessDeniedException", "You don't have access to the model", 403, "permission_error"],
    [503, "ServiceUnavailableException", "Busy", 529, "overloaded_error"],
    [500, "InternalServerException", "Oops", 500, "api_error"],
  ])("tells %i %s in Anthropic's envelope (F28)", async (status, type, message, told, name) => {
    upstream.answer = json({ message }, status, { "x-amzn-errortype": `${type}:http://x/`, "retry-after": "7" });
    const response = await provider().send(invoke(), signal);
    expect(response.status).toBe(told);
    expect(response.headers["retry-after"]).toBe("7");
    expect(JSON.parse(await textOf(response))).toEqual({ type: "error", error: { type: name, message } });
  });
});
