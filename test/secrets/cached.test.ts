// Secrets kept for a while: how often the vault is asked, and what holds while it is down.
import { expect, test } from "vitest";
import { createCachedSecrets } from "../../lib/secrets/cached.ts";
import { failure } from "../support/keys.ts";

const minute = 60_000;
const setUp = () => {
  const clock = { time: 0 };
  const vault = { value: "one" as string | undefined, asked: 0, down: false };
  const secrets = createCachedSecrets(
    {
      get: async () => {
        vault.asked += 1;
        await Promise.resolve();
        if (vault.down) throw new Error("a-fake-vault's words");
        return vault.value;
      },
    },
    { now: () => clock.time },
  );
  return { clock, vault, get: () => secrets.get("pepper") };
};
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("asked once at a time, and not again for five minutes", async () => {
  const { clock, vault, get } = setUp();
  expect(await Promise.all([get(), get(), get()])).toEqual(["one", "one", "one"]);
  clock.time += 5 * minute - 1;
  expect(await get()).toBe("one");
  expect(vault.asked).toBe(1);
});

test("refreshed behind, and waited for when it is very old", async () => {
  const { clock, vault, get } = setUp();
  await get();
  vault.value = "two";
  clock.time += 5 * minute;
  expect(await get()).toBe("one");
  await settled();
  expect(await get()).toBe("two");
  vault.value = "three";
  clock.time += 10 * minute;
  expect(await get()).toBe("three");
  expect(vault.asked).toBe(3);
});

test("a secret that is not there is asked for again after seconds", async () => {
  const { clock, vault, get } = setUp();
  vault.value = undefined;
  for (let at = 0; at < 3; at += 1) expect(await get()).toBeUndefined();
  expect(vault.asked).toBe(1);
  vault.value = "late";
  clock.time += 10_000;
  expect(await get()).toBe("late");
});

test("stale for as long as the vault is down, asked every few seconds, without the vault's own words", async () => {
  const { clock, vault, get } = setUp();
  vault.down = true;
  expect(await failure(get)).toBe("storage: The secrets can't be read.");
  vault.down = false;
  await get();
  vault.down = true;
  clock.time += 600 * minute;
  for (let at = 0; at < 5; at += 1) expect(await get()).toBe("one");
  expect(vault.asked).toBe(3);
  vault.down = false;
  vault.value = "two";
  clock.time += 10_000;
  expect(await get()).toBe("two");
});
