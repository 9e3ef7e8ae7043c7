// A thread store for tests: a table in memory, a clock that moves when told to, ids that count.
import { createFolder } from "../../lib/wires/shared/fold.ts";
import type { StreamEvent } from "../../lib/model/event.ts";
import type { Message } from "../../lib/model/message.ts";
import type { Table } from "../../lib/stores/table.ts";
import { createHub } from "../../lib/threads/hub.ts";
import type { NewMessage } from "../../lib/threads/message-items.ts";
import type { Blobs } from "../../lib/blobs/blobs.ts";
import { type Caller, type Clock, defaultLimits, type ThreadStore } from "../../lib/threads/store.ts";
import { createEventWriter, type EventWriter } from "../../lib/threads/event-log.ts";
import type { Lease } from "../../lib/threads/turns.ts";
import { createMemoryTable } from "../support/memory-table.ts";

export type TestClock = Clock & { advance: (ms: number) => Promise<void>; sleeping: () => number };

/** Lets everything run that is ready to. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

export const createClock = (start = Date.UTC(2026, 0, 1)): TestClock => {
  let now = start;
  const sleepers = new Set<{ at: number; wake: () => void }>();
  return {
    now: () => now,
    sleeping: () => sleepers.size,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        const sleeper = {
          at: now + ms,
          wake: () => {
            sleepers.delete(sleeper);
            signal.removeEventListener("abort", sleeper.wake);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal.addEventListener("abort", sleeper.wake);
      }),
    advance: async (ms) => {
      const end = now + ms;
      for (;;) {
        await settle();
        const next = [...sleepers].sort((a, b) => a.at - b.at)[0];
        if (next === undefined || next.at > end) break;
        now = Math.max(now, next.at);
        next.wake();
      }
      now = end;
      await settle();
    },
  };
};

export type MemoryBlobs = Blobs & { all: Map<string, Uint8Array> };

export const createMemoryBlobs = (): MemoryBlobs => {
  const all = new Map<string, Uint8Array>();
  return {
    all,
    put: async (scope, bytes) => {
      const hash = process.getBuiltinModule("node:crypto").hash("sha256", bytes, "hex");
      all.set(`${scope}|${hash}`, bytes);
      return hash;
    },
    get: async (scope, hash) => all.get(`${scope}|${hash}`),
    delete: async (scope, hash) => {
      all.delete(`${scope}|${hash}`);
    },
  };
};

export type TestStore = ThreadStore & { clock: TestClock; blobs: MemoryBlobs };

let made = 0;

export const createTestStore = (options: { table?: Table; clock?: TestClock; blobs?: MemoryBlobs } = {}): TestStore => {
  const clock = options.clock ?? createClock();
  return {
    table: options.table ?? createMemoryTable(clock.now),
    blobs: options.blobs ?? createMemoryBlobs(),
    clock,
    newId: () => (made += 1).toString(36).padStart(12, "0").padEnd(24, "0"),
    hub: createHub(),
    limits: defaultLimits,
    tokensOf: (parts) => Math.ceil(JSON.stringify(parts).length / 4),
    foldEvents: (events) => {
      const folder = createFolder();
      for (const event of events) folder.push(event);
      const { parts, usage } = folder.partial();
      return usage === undefined ? { parts } : { parts, usage };
    },
  };
};

/** The same stored things as another process sees them: its own hub, the same table and clock. */
export const otherProcess = (store: TestStore): TestStore => ({ ...store, hub: createHub() });

export const alice: Caller = { space: "acme", owner: "alice" };
export const bob: Caller = { space: "acme", owner: "bob" };

export const says = (role: Message["role"], text: string): Message => ({ role, parts: [{ type: "text", text }] });
export const user = (text: string, clientId?: string): NewMessage =>
  clientId === undefined ? { message: says("user", text) } : { message: says("user", text), clientId };
export const textOf = (message: Message): string =>
  message.parts.map((part) => ("text" in part ? part.text : `<${part.type}>`)).join("");

export const calls = (...ids: string[]): Message => ({
  role: "assistant",
  parts: ids.map((callId) => ({ type: "tool-call", callId, name: "look", arguments: "{}" })),
});
export const results = (...ids: string[]): Message => ({
  role: "user",
  parts: ids.map((callId) => ({ type: "tool-result", callId, parts: [{ type: "text", text: `of ${callId}` }] })),
});

export const writerOf = (store: ThreadStore, lease: Lease): EventWriter =>
  createEventWriter(
    store,
    { space: lease.head.space, thread: lease.head.id, run: lease.run },
    lease.fence,
    lease.firstEvent,
  );

/** The events of an answer that says these words. */
export const answerEvents = (...words: string[]): StreamEvent[] => [
  { type: "response-start", id: "r", model: "m" },
  { type: "part-start", index: 0, part: { type: "text", text: "" } },
  ...words.map((text): StreamEvent => ({ type: "part-delta", index: 0, delta: { type: "text", text } })),
  { type: "part-end", index: 0 },
  { type: "response-end", reason: "end", usage: { input: 10, output: words.length } },
];
