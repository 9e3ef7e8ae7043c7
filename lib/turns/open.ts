// Threads over what a platform keeps things in.
import { estimatePartTokens } from "../chat/estimate.ts";
import { randomLetters } from "../model/id.ts";
import { createHub } from "../threads/hub.ts";
import type { ThreadLimits, ThreadStore } from "../threads/store.ts";
import { createFolder } from "../wires/shared/fold.ts";
import { createTurns, type Turns } from "./index.ts";
import type { ModelServices, Storage } from "./services.ts";

export type Threads = { store: ThreadStore; turns: Turns };

export const openThreads = (storage: Storage, models: ModelServices, limits: ThreadLimits): Threads => {
  const store: ThreadStore = {
    table: storage.table,
    blobs: storage.blobs,
    clock: models.clock,
    // An id may be all that a link to a thread holds.
    newId: () => randomLetters(24),
    hub: createHub(),
    limits,
    tokensOf: estimatePartTokens,
    foldEvents: (events) => {
      const folder = createFolder();
      for (const event of events) folder.push(event);
      const { parts, usage } = folder.partial();
      return usage === undefined ? { parts } : { parts, usage };
    },
  };
  const { queue } = storage;
  return { store, turns: createTurns(queue === undefined ? { store, models } : { store, models, queue }) };
};
