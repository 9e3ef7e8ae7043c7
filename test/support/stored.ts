// The threads of a data folder as another process sees them: the same file, a connection and a hub of its own.
import { join } from "node:path";
import { openFileBlobs } from "../../lib/blobs/files.ts";
import { systemClock } from "../../lib/routing/retry.ts";
import { openSqlite } from "../../lib/stores/sqlite.ts";
import { spaceOf } from "../../lib/threads/keys.ts";
import { type Caller, defaultLimits } from "../../lib/threads/store.ts";
import { openThreads, type Threads } from "../../lib/turns/open.ts";
import type { ModelServices } from "../../lib/turns/services.ts";

/** Whoever calls without a key, where none is asked for. */
export const open: Caller = { space: spaceOf("default", "open"), owner: "open" };

const never = (): never => {
  throw new Error("whoever only reads asks no model");
};

const noModels: ModelServices = {
  resolve: never,
  prepare: never,
  forwarded: never,
  contextWindow: never,
  meter: never,
  admit: never,
  fetchMedia: never,
  breaker: { order: never, succeeded: never, failed: never },
  retry: { attempts: 1, baseDelayMs: 0, maxDelayMs: 0, totalMs: 0 },
  clock: systemClock,
};

export type Elsewhere = Threads & { close: () => Promise<void> };

export const openElsewhere = async (folder: string): Promise<Elsewhere> => {
  const table = await openSqlite({ file: join(folder, "heddle.db") });
  const blobs = openFileBlobs({ folder: join(folder, "blobs") });
  return { ...openThreads({ table, blobs }, noModels, defaultLimits), close: () => table.close() };
};
