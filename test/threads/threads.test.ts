import { describe, expect, test } from "vitest";
import { forkThread } from "../../lib/threads/forks.ts";
import { exportThread } from "../../lib/threads/export.ts";
import { appendMessages } from "../../lib/threads/append.ts";
import { deleteMessage, listMessages, loadPath } from "../../lib/threads/messages.ts";
import { sweep } from "../../lib/threads/sweep.ts";
import { createThread, deleteThread, getThread, listThreads, patchThread } from "../../lib/threads/threads.ts";
import type { MemoryTable } from "../support/memory-table.ts";
import { alice, bob, createTestStore, textOf, user } from "./setup.ts";

describe("create and get", () => {
  test("makes a thread under its own id, once", async () => {
    const store = createTestStore();
    const { thread, created } = await createThread(store, alice, { id: "trip", title: "A trip", metadata: { a: "1" } });
    expect(created).toBe(true);
    expect(await getThread(store, alice, "trip")).toEqual(thread);
    await expect(createThread(store, alice, { id: "trip" })).rejects.toMatchObject({
      code: "conflict",
      details: { param: "id" },
    });
    expect(await createThread(store, alice, { id: "trip", ifExists: "return" })).toEqual({ thread, created: false });
  });

  test("a thread of another owner or space is not there, and its id tells nothing", async () => {
    const store = createTestStore();
    await createThread(store, alice, { id: "mine" });
    await expect(getThread(store, bob, "mine")).rejects.toMatchObject({ code: "not_found" });
    await expect(getThread(store, { space: "other", owner: "alice" }, "mine")).rejects.toMatchObject({
      code: "not_found",
    });
    await expect(createThread(store, bob, { id: "mine", ifExists: "return" })).rejects.toMatchObject({
      code: "conflict",
    });
    await createThread(store, { space: "other", owner: "alice" }, { id: "mine" });
    await expect(appendMessages(store, bob, "mine", [user("hi")])).rejects.toMatchObject({ code: "not_found" });
    await expect(deleteThread(store, bob, "mine")).rejects.toMatchObject({ code: "not_found" });
    await expect(patchThread(store, bob, "mine", { title: "x" })).rejects.toMatchObject({ code: "not_found" });
    await expect(forkThread(store, bob, "mine")).rejects.toMatchObject({ code: "not_found" });
  });

  test("spaces whose names hold separators stay apart", async () => {
    const store = createTestStore();
    await createThread(store, { space: "a/thread/b", owner: "o" }, { id: "c" });
    await expect(getThread(store, { space: "a", owner: "o" }, "b/thread/c")).rejects.toMatchObject({
      code: "not_found",
    });
    for (const item of (store.table as MemoryTable).all()) expect(item.pk.startsWith("a%2Fthread%2Fb/")).toBe(true);
  });

  test.each([
    [{ id: "has space" }, "id"],
    [{ id: "../x" }, "id"],
    [{ metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, "v"])) }, "metadata"],
    [{ metadata: { a: "x".repeat(513) } }, "metadata.a"],
    [{ retentionSeconds: 0 }, "retention_seconds"],
    [{ title: "x".repeat(501) }, "title"],
  ])("refuses %o by name", async (input, param) => {
    await expect(createThread(createTestStore(), alice, input)).rejects.toMatchObject({
      code: "invalid_request",
      details: { param },
    });
  });
});

describe("list", () => {
  const fill = async () => {
    const store = createTestStore();
    for (const [id, title, kind] of [
      ["t1", "Alpha one", "a"],
      ["t2", "alpha TWO", "b"],
      ["t3", "Beta", "a"],
      ["t4", "Gamma", "a"],
    ] as const) {
      await createThread(store, alice, { id, title, metadata: { kind } });
      await store.clock.advance(10);
    }
    await createThread(store, bob, { id: "b1", title: "Alpha of bob", metadata: { kind: "a" } });
    return store;
  };
  const ids = ({ threads }: Awaited<ReturnType<typeof listThreads>>) => threads.map(({ id }) => id);

  test("the caller's own, newest first, in pages", async () => {
    const store = await fill();
    expect(ids(await listThreads(store, alice))).toEqual(["t4", "t3", "t2", "t1"]);
    const first = await listThreads(store, alice, { limit: 3 });
    expect(ids(first)).toEqual(["t4", "t3", "t2"]);
    expect(ids(await listThreads(store, alice, { limit: 3, cursor: first.next! }))).toEqual(["t1"]);
    expect(ids(await listThreads(store, bob))).toEqual(["b1"]);
  });

  test("by metadata and by the beginning of the title, in any case", async () => {
    const store = await fill();
    expect(ids(await listThreads(store, alice, { metadata: { kind: "a" } }))).toEqual(["t4", "t3", "t1"]);
    expect(ids(await listThreads(store, alice, { titlePrefix: "ALPHA" }))).toEqual(["t1", "t2"]);
    expect(ids(await listThreads(store, alice, { titlePrefix: "alpha", metadata: { kind: "b" } }))).toEqual(["t2"]);
    expect(ids(await listThreads(store, alice, { metadata: { kind: "none" } }))).toEqual([]);
  });

  test("follows changes of title and metadata", async () => {
    const store = await fill();
    await patchThread(store, alice, "t1", { title: "Zeta", metadata: { other: "1" } });
    expect(ids(await listThreads(store, alice, { titlePrefix: "alpha" }))).toEqual(["t2"]);
    expect(ids(await listThreads(store, alice, { titlePrefix: "zeta" }))).toEqual(["t1"]);
    expect(ids(await listThreads(store, alice, { metadata: { kind: "a" } }))).toEqual(["t4", "t3"]);
    await patchThread(store, alice, "t1", { title: null });
    expect(ids(await listThreads(store, alice, { titlePrefix: "zeta" }))).toEqual([]);
  });
});

describe("patch", () => {
  test("a change meant for another revision is refused; messages don't move the revision", async () => {
    const store = createTestStore();
    await createThread(store, alice, { id: "t", title: "one", system: "Be brief." });
    await appendMessages(store, alice, "t", [user("hi")]);
    const changed = await patchThread(store, alice, "t", { title: "two" }, 1);
    expect(changed).toMatchObject({ title: "two", system: "Be brief.", revision: 2, nextSeq: 1 });
    await expect(patchThread(store, alice, "t", { title: "three" }, 1)).rejects.toMatchObject({
      code: "precondition_failed",
      status: 412,
    });
    expect(await patchThread(store, alice, "t", { system: null })).not.toHaveProperty("system");
  });

  test("of several at once with the same revision one wins", async () => {
    const store = createTestStore();
    await createThread(store, alice, { id: "t" });
    const done = await Promise.allSettled(["a", "b", "c"].map((title) => patchThread(store, alice, "t", { title }, 1)));
    expect(done.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });
});

describe("delete and retention", () => {
  const big = "x".repeat(150_000);

  test("everything goes with the thread: items, list entries, bodies (F52)", async () => {
    const store = createTestStore();
    await createThread(store, alice, { id: "t", title: "T", metadata: { a: "1" } });
    await appendMessages(store, alice, "t", [user("hi", "c1"), user(big)]);
    expect(store.blobs.all.size).toBe(1);
    await deleteThread(store, alice, "t");
    expect((store.table as MemoryTable).all()).toEqual([]);
    expect(store.blobs.all.size).toBe(0);
    await expect(deleteThread(store, alice, "t")).rejects.toMatchObject({ code: "not_found" });
    await createThread(store, alice, { id: "t" });
    expect((await listMessages(store, alice, "t")).messages).toEqual([]);
  });

  test("a thread past its retention is not there, and the sweeper deletes it", async () => {
    const store = createTestStore();
    await createThread(store, alice, { id: "t", retentionSeconds: 60 });
    await createThread(store, alice, { id: "kept" });
    await appendMessages(store, alice, "t", [user(big)]);
    await sweep(store);
    await getThread(store, alice, "t");
    await store.clock.advance(60_000);
    await expect(getThread(store, alice, "t")).rejects.toMatchObject({ code: "not_found" });
    expect((await sweep(store)).deleted).toBe(1);
    expect(store.blobs.all.size).toBe(0);
    expect((store.table as MemoryTable).all().every(({ pk }) => pk.endsWith("/kept"))).toBe(true);
  });

  test("retention can be changed and taken away", async () => {
    const store = createTestStore();
    await createThread(store, alice, { id: "t", retentionSeconds: 60 });
    await patchThread(store, alice, "t", { retentionSeconds: 120 });
    await store.clock.advance(90_000);
    await sweep(store);
    await patchThread(store, alice, "t", { retentionSeconds: null });
    await store.clock.advance(1_000_000);
    await sweep(store);
    expect(await getThread(store, alice, "t")).not.toHaveProperty("expiresAt");
  });
});

describe("fork", () => {
  const texts = async (store: ReturnType<typeof createTestStore>, id: string) =>
    (await loadPath(store, await getThread(store, alice, id))).map(({ message }) => textOf(message));
  const seqs = async (store: ReturnType<typeof createTestStore>, id: string) =>
    (await listMessages(store, alice, id, { limit: 100 })).messages.map(({ seq }) => seq);

  test("begins with the other's messages, without copying any, and goes its own way", async () => {
    const store = createTestStore();
    await createThread(store, alice, { id: "a" });
    const placed = await appendMessages(store, alice, "a", [user("0"), user("1"), user("2")]);
    await forkThread(store, alice, "a", { id: "b", upTo: placed[1]!.id });
    await appendMessages(store, alice, "b", [user("b2")]);
    await appendMessages(store, alice, "a", [user("a3")]);
    await forkThread(store, alice, "b", { id: "c" });
    await appendMessages(store, alice, "c", [user("c3")]);
    await forkThread(store, alice, "c", { id: "d", upTo: placed[0]!.id });
    expect(await texts(store, "a")).toEqual(["0", "1", "2", "a3"]);
    expect(await texts(store, "b")).toEqual(["0", "1", "b2"]);
    expect(await texts(store, "c")).toEqual(["0", "1", "b2", "c3"]);
    expect(await texts(store, "d")).toEqual(["0"]);
    expect(await seqs(store, "c")).toEqual([0, 1, 2, 3]);
    const own = (store.table as MemoryTable).all().filter(({ pk, sk }) => pk.endsWith("/c") && sk.startsWith("m:"));
    expect(own).toHaveLength(1);
  });

  test("forks keep what they show when the thread they came from is deleted", async () => {
    const store = createTestStore();
    await createThread(store, alice, { id: "a" });
    await appendMessages(store, alice, "a", [user("0"), user("x".repeat(120_000)), user("2")]);
    await forkThread(store, alice, "a", { id: "b" });
    await appendMessages(store, alice, "b", [user("b3")]);
    await forkThread(store, alice, "b", { id: "c" });
    await appendMessages(store, alice, "c", [user("c4")]);
    const before = [await texts(store, "b"), await texts(store, "c")];
    await deleteThread(store, alice, "a");
    expect([await texts(store, "b"), await texts(store, "c")]).toEqual(before);
    await deleteThread(store, alice, "b");
    expect(await texts(store, "c")).toEqual(before[1]);
    expect(await seqs(store, "c")).toEqual([0, 1, 2, 3, 4]);
    await forkThread(store, alice, "c", { id: "d" });
    await deleteThread(store, alice, "c");
    expect(await texts(store, "d")).toEqual(before[1]);
    await deleteThread(store, alice, "d");
    expect((store.table as MemoryTable).all()).toEqual([]);
    expect(store.blobs.all.size).toBe(0);
  });

  test("a message that is shared can't be removed from a fork", async () => {
    const store = createTestStore();
    await createThread(store, alice, { id: "a" });
    const [first] = await appendMessages(store, alice, "a", [user("0")]);
    await forkThread(store, alice, "a", { id: "b" });
    await expect(deleteMessage(store, alice, "b", first!.id)).rejects.toMatchObject({ code: "conflict" });
  });
});

test("export gives a line for the thread and for each message, every branch among them", async () => {
  const store = createTestStore();
  await createThread(store, alice, { id: "t", title: "T" });
  const [first] = await appendMessages(store, alice, "t", [user("a"), user("b")]);
  await appendMessages(store, alice, "t", [user("c")], { parentId: first!.id });
  const lines: Record<string, unknown>[] = [];
  for await (const line of exportThread(store, alice, "t")) {
    expect(line.endsWith("\n")).toBe(true);
    lines.push(JSON.parse(line) as Record<string, unknown>);
  }
  expect(lines.map(({ type }) => type)).toEqual(["thread", "message", "message", "message"]);
  expect(lines[3]).toMatchObject({ seq: 2, parentId: first!.id });
});

test("long instructions and settings lie apart from the head, which every turn writes", async () => {
  const store = createTestStore();
  const system = "s".repeat(150_000);
  const settings = { tools: ["t".repeat(3_000)] };
  await createThread(store, alice, { id: "t", system, settings });
  const size = (sk: string) =>
    JSON.stringify((store.table as MemoryTable).all().find((item) => item.sk === sk)?.data).length;
  expect(size("thread")).toBeLessThan(1_000);
  expect(await getThread(store, alice, "t")).toMatchObject({ system, settings });
  await forkThread(store, alice, "t", { id: "f" });
  await patchThread(store, alice, "t", { system: "short" });
  expect(await getThread(store, alice, "t")).toMatchObject({ system: "short", settings });
  await patchThread(store, alice, "t", { settings: null });
  expect(await getThread(store, alice, "t")).toMatchObject({ system: "short", settings: {} });
  expect((store.table as MemoryTable).all().filter(({ pk, sk }) => pk.endsWith("/t") && sk.startsWith("p:"))).toEqual(
    [],
  );
  expect(await getThread(store, alice, "f")).toMatchObject({ system, settings });
});
