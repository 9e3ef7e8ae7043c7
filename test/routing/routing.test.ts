import { describe, expect, test } from "vitest";
import { GatewayError } from "../../lib/model/error.ts";
import { createBreaker } from "../../lib/routing/breaker.ts";
import { createResolver } from "../../lib/routing/resolve.ts";
import { type Clock, firstThatAnswers } from "../../lib/routing/retry.ts";

describe("model names", () => {
  const resolve = createResolver({
    aliases: new Map([
      ["fast", { targets: ["openai/gpt-x"] }],
      ["smart", { targets: ["anthropic/claude-y", "fast"], maxOutputTokens: 9 }],
      ["openai/pinned", { targets: ["bedrock/arn:aws:bedrock:eu-west-1:1:inference-profile/eu.claude"] }],
    ]),
    providers: new Set(["openai", "anthropic", "bedrock"]),
    claim: (model) => (model.startsWith("gpt-") ? "openai" : undefined),
  });

  test("aliases come first, may name aliases, and give their targets in order", () => {
    expect(resolve("fast")).toEqual([{ provider: "openai", model: "gpt-x" }]);
    expect(resolve("smart")).toEqual([
      { provider: "anthropic", model: "claude-y", maxOutputTokens: 9 },
      { provider: "openai", model: "gpt-x", maxOutputTokens: 9 },
    ]);
    expect(resolve("openai/pinned")[0]).toEqual({
      provider: "bedrock",
      model: "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.claude",
    });
  });
  test("provider/model splits at the first slash; a bare name is claimed", () => {
    expect(resolve("openai/org/model:tag")).toEqual([{ provider: "openai", model: "org/model:tag" }]);
    expect(resolve("gpt-z")).toEqual([{ provider: "openai", model: "gpt-z" }]);
  });
  test.each(["nothing", "unknown/model", "openai/", "/x"])("%s is not found", (model) => {
    expect(() => resolve(model)).toThrow(expect.objectContaining({ code: "model_not_found" }));
  });
});

describe("tries", () => {
  const policy = { attempts: 3, baseDelayMs: 100, maxDelayMs: 1_000, totalMs: 10_000 };
  const never = new AbortController().signal;
  const clockOf = (): Clock & { slept: number[] } => {
    let now = 0;
    const slept: number[] = [];
    return {
      slept,
      now: () => now,
      random: () => 1,
      sleep: (ms) => {
        slept.push(ms);
        now += ms;
        return Promise.resolve();
      },
    };
  };
  const failing =
    (errors: (GatewayError | undefined)[]) =>
    (target: string, number: number): Promise<string> => {
      const error = errors[number - 1];
      return error === undefined ? Promise.resolve(`${target}:${number}`) : Promise.reject(error);
    };

  test("the same target is asked again with growing pauses, then the next (F25, F34)", async () => {
    const clock = clockOf();
    const down = new GatewayError("overloaded", "down");
    expect(await firstThatAnswers(["a", "b"], policy, clock, never, failing([down, down, down, down, undefined]))).toBe(
      "b:5",
    );
    expect(clock.slept).toEqual([100, 200, 100]);
  });
  test("retry-after is obeyed, and a long one goes to the next target at once", async () => {
    const clock = clockOf();
    const soon = new GatewayError("rate_limited", "wait", { retryAfterMs: 700 });
    const late = new GatewayError("rate_limited", "wait", { retryAfterMs: 60_000 });
    expect(await firstThatAnswers(["a", "b"], policy, clock, never, failing([soon, late, undefined]))).toBe("b:3");
    expect(clock.slept).toEqual([700]);
  });
  test("what no target can mend is thrown at once; a missing model is not", async () => {
    await expect(
      firstThatAnswers(["a", "b"], policy, clockOf(), never, failing([new GatewayError("invalid_request", "no")])),
    ).rejects.toMatchObject({
      code: "invalid_request",
    });
    const missing = new GatewayError("model_not_found", "no");
    expect(await firstThatAnswers(["a", "b"], policy, clockOf(), never, failing([missing, undefined]))).toBe("b:2");
  });
  test("a field that one target can't express goes to the next, and never hides why another failed (F18)", async () => {
    const clock = clockOf();
    const unable = new GatewayError("unsupported_field", "no such field");
    expect(await firstThatAnswers(["a", "b"], policy, clock, never, failing([unable, undefined]))).toBe("b:2");
    const down = new GatewayError("upstream_authentication", "key");
    await expect(firstThatAnswers(["a", "b"], policy, clock, never, failing([down, unable]))).rejects.toBe(down);
    await expect(firstThatAnswers(["a", "b"], policy, clock, never, failing([unable, down]))).rejects.toBe(down);
    expect(clock.slept).toEqual([]);
  });
  test("no try begins after the total", async () => {
    const clock = clockOf();
    const down = new GatewayError("overloaded", "down", { retryAfterMs: 900 });
    await expect(
      firstThatAnswers(
        ["a", "b"],
        { ...policy, attempts: 100, totalMs: 2_000 },
        clock,
        never,
        failing(Array.from({ length: 100 }, () => down)),
      ),
    ).rejects.toMatchObject({ code: "overloaded" });
    expect(clock.slept.length).toBeLessThan(6);
  });
});

describe("breaker", () => {
  const a = { provider: "p", model: "a" };
  const b = { provider: "p", model: "b" };
  test("a failing target goes last until it has cooled down; disconnects and bad requests never count (F32)", () => {
    let now = 0;
    const breaker = createBreaker(() => now);
    for (let at = 0; at < 20; at += 1) {
      breaker.failed(a, new GatewayError("cancelled", "left"));
      breaker.failed(a, new GatewayError("invalid_request", "bad"));
    }
    expect(breaker.order([a, b])).toEqual([a, b]);
    for (let at = 0; at < 5; at += 1) breaker.failed(a, new GatewayError("overloaded", "down"));
    expect(breaker.order([a, b])).toEqual([b, a]);
    now = 20_000;
    expect(breaker.order([a, b])).toEqual([a, b]);
    for (let at = 0; at < 5; at += 1) breaker.failed(a, new GatewayError("overloaded", "down"));
    breaker.succeeded(a);
    expect(breaker.order([a, b])).toEqual([a, b]);
  });
});
