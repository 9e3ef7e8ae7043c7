import { describe, expect, test } from "vitest";
import { GatewayError } from "../../lib/model/error.ts";
import { appendMessages } from "../../lib/threads/append.ts";
import {
  deleteMessage,
  getMessage,
  listMessages,
  listSiblings,
  loadPath,
  setActiveLeaf,
} from "../../lib/threads/messages.ts";
import { createThread, getThread } from "../../lib/threads/threads.ts";
import { createMemoryTable, tapped } from "../support/memory-table.ts";
import { alice, createClock, createTestStore, says, textOf, type TestStore, user } from "./setup.ts";

const begin = async (store = createTestStore()): Promise<TestStore> => {
  await createThread(store, alice, { id: "t" });
  return store;
};
const path = async (store: TestStore) =>
  (await loadPath(store, await getThread(store, alice, "t"))).map(({ message }) => textOf(message));

describe("append", () => {
  test("numbers messages without gaps, each following the one before", async () => {
    const store = await begin();
    const placed = await appendMessages(store, alice, "t", [user("a"), { message: says("assistant", "b") }, user("c")]);
    expect(placed.map(({ seq }) => seq)).toEqual([0, 1, 2]);
    expect(placed.map(({ parentId }) => parentId)).toEqual([undefined, placed[0]!.id, placed[1]!.id]);
    expect(await getThread(store, alice, "t")).toMatchObject({ nextSeq: 3, leafId: placed[2]!.id });
  });

  test("the same client id adds nothing, whatever else comes with it", async () => {
    const store = await begin();
    const [first] = await appendMessages(store, alice, "t", [user("a", "one")]);
    const again = await appendMessages(store, alice, "t", [user("a", "one"), user("b", "two")]);
    expect(again.map(({ seq }) => seq)).toEqual([0, 1]);
    expect(again[0]).toEqual(first);
    expect(await path(store)).toEqual(["a", "b"]);
    expect(await getMessage(store, alice, "t", "two")).toEqual(again[1]);
  });

  test("many at once, from many writers, lose nothing and leave no gap", async () => {
    const store = await begin();
    await Promise.all(
      Array.from({ length: 6 }, async (_, writer) => {
        for (let n = 0; n < 3; n += 1) {
          // A writer that loses too often is told so, and tries again.
          for (;;)
            try {
              await appendMessages(store, alice, "t", [user(`${writer}.${n}`, `c${writer}.${n}`)]);
              break;
            } catch (thrown) {
              if (!(thrown instanceof GatewayError && thrown.code === "conflict" && thrown.retryable)) throw thrown;
            }
        }
      }),
    );
    const { messages } = await listMessages(store, alice, "t", { limit: 100 });
    expect(messages.map(({ seq }) => seq)).toEqual(Array.from({ length: 18 }, (_, n) => n));
    expect(new Set(messages.map(({ clientId }) => clientId)).size).toBe(18);
    expect(await path(store)).toHaveLength(18);
  });

  test("more messages than a transaction takes arrive in order", async () => {
    const store = await begin();
    const placed = await appendMessages(
      store,
      alice,
      "t",
      Array.from({ length: 75 }, (_, n) => user(String(n), `c${n}`)),
    );
    expect(placed.map(({ seq }) => seq)).toEqual(Array.from({ length: 75 }, (_, n) => n));
    expect(await path(store)).toEqual(Array.from({ length: 75 }, (_, n) => String(n)));
  });

  test("large bodies, and many middling ones, leave the item (F52)", async () => {
    const store = await begin();
    const texts = [
      "x".repeat(400_000),
      ...Array.from({ length: 20 }, (_, n) => String.fromCharCode(97 + n).repeat(90_000)),
    ];
    await appendMessages(
      store,
      alice,
      "t",
      texts.map((text) => user(text)),
    );
    expect(await path(store)).toEqual(texts);
    expect(store.blobs.all.size).toBeGreaterThan(5);
  });

  test("costs the same however long the thread is: one read, one transaction", async () => {
    const clock = createClock();
    const table = tapped(createMemoryTable(clock.now), {});
    const store = await begin(createTestStore({ table, clock }));
    const costs: string[] = [];
    for (let n = 0; n < 400; n += 1) {
      const { reads, transactions, operations } = table.counted;
      await appendMessages(store, alice, "t", [user(String(n), `c${n}`)]);
      const { counted } = table;
      costs.push(`${counted.reads - reads} ${counted.transactions - transactions} ${counted.operations - operations}`);
    }
    expect(new Set(costs)).toEqual(new Set(["1 1 3"]));
  });
});

describe("branches", () => {
  test("an edit and a regeneration make siblings, and the last one is picked", async () => {
    const store = await begin();
    const [question, answer] = await appendMessages(store, alice, "t", [
      user("q"),
      { message: says("assistant", "a") },
    ]);
    const [again] = await appendMessages(store, alice, "t", [{ message: says("assistant", "a2") }], {
      parentId: question!.id,
    });
    expect(await path(store)).toEqual(["q", "a2"]);
    await appendMessages(store, alice, "t", [user("q2")], { parentId: null });
    await appendMessages(store, alice, "t", [{ message: says("assistant", "b") }]);
    expect(await path(store)).toEqual(["q2", "b"]);
    const ids = async (id: string) => (await listSiblings(store, alice, "t", id)).map(({ message }) => textOf(message));
    expect(await ids(answer!.id)).toEqual(["a", "a2"]);
    expect(await ids(again!.id)).toEqual(["a", "a2"]);
    expect(await ids(question!.id)).toEqual(["q", "q2"]);
  });

  test("the active leaf goes back to a branch and on from there", async () => {
    const store = await begin();
    const [q, a] = await appendMessages(store, alice, "t", [user("q"), user("a")]);
    await appendMessages(store, alice, "t", [user("other")], { parentId: q!.id });
    await setActiveLeaf(store, alice, "t", a!.id);
    expect(await path(store)).toEqual(["q", "a"]);
    await appendMessages(store, alice, "t", [user("next")]);
    expect(await path(store)).toEqual(["q", "a", "next"]);
    expect((await listSiblings(store, alice, "t", a!.id)).map(({ message }) => textOf(message))).toEqual([
      "a",
      "other",
    ]);
  });

  test("the path is found across a long stretch of another branch, without reading it all", async () => {
    const clock = createClock();
    const table = tapped(createMemoryTable(clock.now), {});
    const store = await begin(createTestStore({ table, clock }));
    const [root] = await appendMessages(store, alice, "t", [user("root")]);
    for (let at = 0; at < 40; at += 1)
      await appendMessages(
        store,
        alice,
        "t",
        Array.from({ length: 30 }, (_, n) => user(`${at}.${n}`)),
      );
    await appendMessages(store, alice, "t", [user("late")], { parentId: root!.id });
    const { reads } = table.counted;
    expect(await path(store)).toEqual(["root", "late"]);
    expect(table.counted.reads - reads).toBeLessThan(6);
  });
});

describe("list", () => {
  const fill = async () => {
    const store = await begin();
    const placed = await appendMessages(
      store,
      alice,
      "t",
      Array.from({ length: 7 }, (_, n) => user(String(n))),
    );
    return { store, ids: placed.map(({ id }) => id) };
  };
  const texts = (page: Awaited<ReturnType<typeof listMessages>>) => page.messages.map(({ message }) => textOf(message));

  test("in pages, in both directions", async () => {
    const { store, ids } = await fill();
    const first = await listMessages(store, alice, "t", { limit: 3 });
    expect([texts(first), first.hasMore]).toEqual([["0", "1", "2"], true]);
    const last = await listMessages(store, alice, "t", { limit: 4, after: ids[2]! });
    expect([texts(last), last.hasMore]).toEqual([["3", "4", "5", "6"], false]);
    expect(texts(await listMessages(store, alice, "t", { limit: 2, descending: true }))).toEqual(["6", "5"]);
    expect(texts(await listMessages(store, alice, "t", { limit: 9, descending: true, after: ids[2]! }))).toEqual([
      "1",
      "0",
    ]);
    expect(texts(await listMessages(store, alice, "t", { before: ids[2]! }))).toEqual(["0", "1"]);
  });

  test("the active branch alone", async () => {
    const { store, ids } = await fill();
    await appendMessages(store, alice, "t", [user("x")], { parentId: ids[1]! });
    expect(texts(await listMessages(store, alice, "t", { branch: "path" }))).toEqual(["0", "1", "x"]);
    expect(texts(await listMessages(store, alice, "t", { branch: "path", descending: true, limit: 2 }))).toEqual([
      "x",
      "1",
    ]);
  });

  test("a removed message is gone from lists, its children stay", async () => {
    const { store, ids } = await fill();
    await deleteMessage(store, alice, "t", ids[3]!);
    expect(texts(await listMessages(store, alice, "t"))).toEqual(["0", "1", "2", "4", "5", "6"]);
    await expect(getMessage(store, alice, "t", ids[3]!)).rejects.toMatchObject({ code: "not_found" });
    expect(await path(store)).toHaveLength(7);
  });

  test("names what is wrong", async () => {
    const { store } = await fill();
    await expect(listMessages(store, alice, "t", { limit: 0 })).rejects.toMatchObject({ details: { param: "limit" } });
    await expect(listMessages(store, alice, "t", { after: "nope" })).rejects.toMatchObject({
      code: "not_found",
      details: { param: "after" },
    });
    await expect(appendMessages(store, alice, "t", [user("a")], { parentId: "msg_9_zzz" })).rejects.toMatchObject({
      details: { param: "parent_id" },
    });
    await expect(appendMessages(store, alice, "t", [user("a", "x"), user("b", "x")])).rejects.toMatchObject({
      code: "invalid_request",
      details: { param: "messages[1].id" },
    });
  });
});
