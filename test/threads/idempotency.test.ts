import { expect, test } from "vitest";
import { abandonIdempotent, beginIdempotent, finishIdempotent } from "../../lib/threads/idempotency.ts";
import { sweep } from "../../lib/threads/sweep.ts";
import type { MemoryTable } from "../support/memory-table.ts";
import { alice, bob, createTestStore } from "./setup.ts";

const begin = async (store: ReturnType<typeof createTestStore>, hash = "h") => {
  const begun = await beginIdempotent(store, alice, "key", hash);
  if (begun.kind !== "new") throw new Error(begun.kind);
  return begun.token;
};

test("the same key and body gives the first answer", async () => {
  const store = createTestStore();
  const answer = { status: 201, headers: { "content-type": "application/json" }, body: "{}" };
  await finishIdempotent(store, await begin(store), answer);
  expect(await beginIdempotent(store, alice, "key", "h")).toEqual({ kind: "answered", answer });
});

test("a stream's answer is the run whose events replay", async () => {
  const store = createTestStore();
  const answer = { status: 200, headers: {}, run: { thread: "t", run: "run_1" } };
  await finishIdempotent(store, await begin(store), answer);
  expect(await beginIdempotent(store, alice, "key", "h")).toEqual({ kind: "answered", answer });
});

test("another body is refused with 422, while the first runs and after", async () => {
  const store = createTestStore();
  const token = await begin(store);
  const mismatch = { code: "idempotency_mismatch", status: 422, details: { param: "idempotency-key" } };
  await expect(beginIdempotent(store, alice, "key", "other")).rejects.toMatchObject(mismatch);
  await finishIdempotent(store, token, { status: 200, headers: {} });
  await expect(beginIdempotent(store, alice, "key", "other")).rejects.toMatchObject(mismatch);
});

test("of several at once one is carried out, the others get 409", async () => {
  const store = createTestStore();
  const all = await Promise.allSettled(Array.from({ length: 5 }, () => beginIdempotent(store, alice, "key", "h")));
  expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const each of all.filter(({ status }) => status === "rejected"))
    expect(each).toMatchObject({ reason: { code: "conflict", status: 409, retryable: true } });
});

test("a call that died is carried out anew, and its late answer counts no more", async () => {
  const store = createTestStore();
  const dead = await begin(store);
  await store.clock.advance(16 * 60_000);
  const next = await begin(store);
  await finishIdempotent(store, dead, { status: 200, headers: {}, body: "late" });
  await finishIdempotent(store, next, { status: 200, headers: {}, body: "right" });
  expect(await beginIdempotent(store, alice, "key", "h")).toMatchObject({ answer: { body: "right" } });
});

test("a call that made nothing leaves the key free", async () => {
  const store = createTestStore();
  await abandonIdempotent(store, await begin(store));
  expect((await beginIdempotent(store, alice, "key", "another body")).kind).toBe("new");
});

test("keys are their owner's own, for a day", async () => {
  const store = createTestStore();
  await finishIdempotent(store, await begin(store), { status: 200, headers: {} });
  expect((await beginIdempotent(store, bob, "key", "h")).kind).toBe("new");
  await store.clock.advance(25 * 3_600_000);
  expect((await beginIdempotent(store, alice, "key", "h")).kind).toBe("new");
});

test("large answers leave the item, and go with it (F52)", async () => {
  const store = createTestStore();
  const key = "🧵".repeat(120);
  const begun = await beginIdempotent(store, alice, key, "h");
  const body = "x".repeat(300_000);
  await finishIdempotent(store, (begun as { token: Parameters<typeof finishIdempotent>[1] }).token, {
    status: 200,
    headers: {},
    body,
  });
  expect(await beginIdempotent(store, alice, key, "h")).toMatchObject({ answer: { body } });
  await store.clock.advance(26 * 3_600_000);
  await sweep(store);
  expect(store.blobs.all.size).toBe(0);
  expect((store.table as MemoryTable).all()).toEqual([]);
});

test("refuses what is no key", async () => {
  for (const key of ["", "x".repeat(256)])
    await expect(beginIdempotent(createTestStore(), alice, key, "h")).rejects.toMatchObject({
      details: { param: "idempotency-key" },
    });
});
