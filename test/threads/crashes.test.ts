// Deleting and forking, with a crash at every single write, and both at once.
import { describe, expect, test } from "vitest";
import { GatewayError } from "../../lib/model/error.ts";
import { appendMessages } from "../../lib/threads/append.ts";
import { forkThread } from "../../lib/threads/forks.ts";
import { listMessages } from "../../lib/threads/messages.ts";
import { listUsage } from "../../lib/threads/runs.ts";
import { startTurn } from "../../lib/threads/start-turn.ts";
import { sweep } from "../../lib/threads/sweep.ts";
import { createThread, deleteThread, getThread } from "../../lib/threads/threads.ts";
import { createMemoryTable, type MemoryTable, tapped } from "../support/memory-table.ts";
import { alice, createTestStore, textOf, type TestStore, user } from "./setup.ts";

const texts = async (store: TestStore, id: string) =>
  (await listMessages(store, alice, id, { limit: 100 })).messages.map(({ message }) => textOf(message));

/** The same store, whose `n`th write crashes: done or not, and everything after it. */
const crashing = (store: TestStore, n: number, done: boolean): TestStore & { crashed: () => boolean } => {
  let writes = 0;
  const die = (): never => {
    throw new GatewayError("storage", "crash");
  };
  const table = tapped(store.table, {
    before: () => {
      writes += 1;
      if (writes > n || (writes === n && !done)) die();
    },
    after: () => {
      if (writes >= n) die();
    },
  });
  return { ...store, table, crashed: () => writes >= n };
};

const build = async () => {
  const store = createTestStore();
  store.table = createMemoryTable(store.clock.now);
  await createThread(store, alice, { id: "a", title: "A", metadata: { k: "v" }, system: "s".repeat(5_000) });
  await appendMessages(store, alice, "a", [user("0", "c0"), user("x".repeat(120_000)), user("2")]);
  await forkThread(store, alice, "a", { id: "b" });
  await appendMessages(store, alice, "b", [user("b3")]);
  await forkThread(store, alice, "b", { id: "c" });
  await appendMessages(store, alice, "c", [user("c4")]);
  return { store, before: [await texts(store, "b"), await texts(store, "c")] };
};

const left = (store: TestStore, id: string) => ({
  items: (store.table as MemoryTable).all().filter(({ pk }) => pk === `acme/thread/${id}`),
  blobs: [...store.blobs.all.keys()].filter((key) => key.startsWith(`acme/${id}|`)),
});

/** Plays `act` with a crash at its first write, its second and so on, until it needs no more. Gives how many it has. */
const atEveryWrite = async (
  act: (store: TestStore) => Promise<unknown>,
  check: (world: Awaited<ReturnType<typeof build>>) => Promise<void>,
): Promise<number> => {
  for (let n = 1; ; n += 1)
    for (const done of [false, true]) {
      const world = await build();
      const store = crashing(world.store, n, done);
      await act(store).catch((thrown: unknown) => {
        if (!(thrown instanceof GatewayError && thrown.code === "storage")) throw thrown;
      });
      if (!store.crashed()) return n - 1;
      await check(world);
    }
};

describe("a crash at any write", () => {
  test("of a deletion: the sweeper finishes it, nothing is left, and forks keep what they show", async () => {
    const writes = await atEveryWrite(
      (store) => deleteThread(store, alice, "a"),
      async ({ store, before }) => {
        await store.clock.advance(1000);
        await sweep(store);
        // Where the very first write was not done, nothing has happened.
        if (
          await getThread(store, alice, "a").then(
            () => true,
            () => false,
          )
        )
          await deleteThread(store, alice, "a");
        expect(left(store, "a")).toEqual({ items: [], blobs: [] });
        expect([await texts(store, "b"), await texts(store, "c")]).toEqual(before);
        await deleteThread(store, alice, "b");
        await deleteThread(store, alice, "c");
        expect((store.table as MemoryTable).all()).toEqual([]);
        expect(store.blobs.all.size).toBe(0);
      },
    );
    expect(writes).toBeGreaterThan(10);
  });

  test("of a fork: it is there whole or not at all, and the same call again makes it", async () => {
    const writes = await atEveryWrite(
      (store) => forkThread(store, alice, "b", { id: "d" }),
      async ({ store, before }) => {
        const isThere = await getThread(store, alice, "d").then(
          () => true,
          () => false,
        );
        if (!isThere) await forkThread(store, alice, "b", { id: "d" });
        expect(await texts(store, "d")).toEqual(before[0]);
        await deleteThread(store, alice, "a");
        await deleteThread(store, alice, "b");
        expect(await texts(store, "d")).toEqual(before[0]);
      },
    );
    expect(writes).toBeGreaterThan(3);
  });

  test("of a fork whose source is deleted before anyone comes back", async () => {
    await atEveryWrite(
      (store) => forkThread(store, alice, "b", { id: "d" }),
      async ({ store, before }) => {
        await deleteThread(store, alice, "a");
        await deleteThread(store, alice, "b");
        const isThere = await getThread(store, alice, "d").then(
          () => true,
          () => false,
        );
        expect(isThere ? await texts(store, "d") : before[0]).toEqual(before[0]);
      },
    );
  });
});

test("a fork and the deletion of its source at once: the fork is whole, or it is refused", async () => {
  const outcomes = new Set<string>();
  for (let delay = 0; delay < 60; delay += 1) {
    const { store, before } = await build();
    const slow = tapped(store.table, {
      before: async () => {
        for (let n = 0; n < delay; n += 1) await Promise.resolve();
      },
    });
    const [fork] = await Promise.allSettled([
      forkThread(store, alice, "a", { id: "d" }),
      deleteThread({ ...store, table: delay % 2 === 0 ? slow : store.table }, alice, "a"),
    ]);
    outcomes.add(fork.status);
    const shown = await texts(store, "d").catch(() => "none");
    expect(shown).toEqual(fork.status === "fulfilled" ? before[0]?.slice(0, 3) : "none");
    expect(left(store, "a")).toEqual({ items: [], blobs: [] });
  }
  expect(outcomes.size).toBe(2);
});

test("a thread that is deleted while a run is in progress settles what the run has used", async () => {
  const { store } = await build();
  await startTurn(store, alice, "a", { messages: [user("q")], run: { id: "run_x" } });
  await deleteThread(store, alice, "a");
  expect(left(store, "a").items.map(({ sk }) => sk)).toEqual(["u:run_x:0001"]);
  await createThread(store, alice, { id: "a" });
  expect(await listUsage(store, alice, "a")).toMatchObject([{ run: "run_x", estimated: true }]);
});
