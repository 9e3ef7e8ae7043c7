// A million random keys that look right, against a store that must not be asked: each is refused by its own checksum.
import { expect, test } from "vitest";
import { createPeppers } from "../../../lib/auth/keys/peppers.ts";
import { createKeyReader } from "../../../lib/auth/keys/reader.ts";
import { GatewayError } from "../../../lib/model/error.ts";
import { idLetters } from "../../../lib/model/id.ts";
import { failure, pepper } from "../../support/keys.ts";

test("a million random keys read nothing", { timeout: 90_000 }, async () => {
  const clock = { now: () => 0 };
  let asked = 0;
  const reader = createKeyReader({
    table: () => {
      asked += 1;
      throw new Error("The store was asked.");
    },
    control: undefined,
    peppers: createPeppers({ get: async () => pepper }, clock),
    environment: "production",
    onStoreFailure: "closed",
    clock,
  });
  // A generator of its own: the same keys each time, and cheap. Every fifth claims to prove itself.
  let state = 0x2545f491;
  const letters = (count: number): string => {
    let text = "";
    while (text.length < count) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      for (let bits = state >>> 0, at = 0; at < 5; at += 1, bits = Math.floor(bits / 62))
        text += idLetters[bits % 62] ?? "";
    }
    return text.slice(0, count);
  };
  const key = (at: number): string => `hdl_live_${at % 5 === 0 ? `0${letters(80)}` : `a${letters(15)}`}_${letters(44)}`;
  expect(await failure(() => reader.authenticate(key(0), () => undefined))).toBe(
    "authentication: The API key is not valid here.",
  );
  let refused = 0;
  // Traces of a million errors are most of their cost.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  for (let at = 0; at < 1_000_000; at += 1)
    try {
      void reader.authenticate(key(at), () => undefined);
    } catch (thrown) {
      if (thrown instanceof GatewayError && thrown.code === "authentication") refused += 1;
    }
  Error.stackTraceLimit = stackTraceLimit;
  expect(refused).toBe(1_000_000);
  expect(asked).toBe(0);
});
