// Usage entries for tests: a plain one, and random ones over a few days, keys, users and models.
import * as fc from "fast-check";
import type { UsageEntry } from "../../lib/usage/entry.ts";

export const start = Date.parse("2026-03-01T00:00:00Z");
export const options = { retentionDays: 90, rollupDays: 400 };

let made = 0;
export const entry = (more: Partial<UsageEntry> = {}): UsageEntry => {
  made += 1;
  return {
    id: `use_${made}`,
    at: start,
    tenant: "acme",
    key: "key_1",
    name: "build",
    user: "ada",
    requestId: `req_${made}`,
    wire: "openai-chat",
    operation: "chat",
    provider: "openai",
    model: "gpt-5",
    requestedModel: "fast",
    usage: { input: 10, output: 5 },
    cost: 1_234_567,
    totalMs: 120,
    status: 200,
    attempts: 1,
    ...more,
  };
};

const count = fc.integer({ min: 0, max: 1_000_000 });

/** Over five days from `start`, many of them near a midnight; ids are set apart by `unique`. */
export const anyEntry: fc.Arbitrary<UsageEntry> = fc
  .record({
    at: fc.oneof(
      fc.integer({ min: 0, max: 5 * 86_400_000 - 1 }),
      fc
        .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: -3, max: 3 }))
        .map(([day, ms]) => day * 86_400_000 + ms),
    ),
    tenant: fc.constantFrom("acme", "b/c", "~x", "émile"),
    key: fc.constantFrom("", "key_1", "key_2"),
    user: fc.constantFrom("ada", "a:b", "u".repeat(2_000), `${"u".repeat(2_000)}v`),
    provider: fc.constantFrom("openai", "anthropic"),
    model: fc.constantFrom("m1", "m:2", "=cmd"),
    operation: fc.constantFrom("chat", "embeddings"),
    wire: fc.constantFrom("openai-chat", "anthropic-messages"),
    usage: fc.record(
      { input: count, output: count, cachedInput: count, cacheWrite: count, reasoning: count },
      { requiredKeys: ["input", "output"] },
    ),
    cost: fc.integer({ min: 0, max: 50_000_000_000 }),
    status: fc.constantFrom(200, 429, 502),
    flags: fc.integer({ min: 0, max: 7 }),
  })
  .map(({ flags, at, ...more }) =>
    entry({
      ...more,
      at: start + at,
      ...((flags & 1) === 0 ? {} : { unpriced: true }),
      ...((flags & 2) === 0 ? {} : { estimated: true }),
      ...((flags & 4) === 0 ? {} : { orphan: true }),
    }),
  );
