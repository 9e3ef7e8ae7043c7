// Threads over what a platform keeps things in.
import { estimatePartTokens } from "../chat/estimate.ts";
import { idLetters } from "../model/id.ts";
import { createHub } from "../threads/hub.ts";
import type { ThreadLimits, ThreadStore } from "../threads/store.ts";
import { createFolder } from "../wires/shared/fold.ts";
import { createTurns, type Turns } from "./index.ts";
import type { ModelServices, Storage } from "./services.ts";

export type Threads = { store: ThreadStore; turns: Turns };

/** 24 characters that nobody can guess: an id may be all that a link to a thread holds. */
const newId = (): string => {
  let id = "";
  while (id.length < 24)
    // What is over a multiple of 62 would make some letters likelier.
    for (const byte of crypto.getRandomValues(new Uint8Array(32)))
      if (byte < 248 && id.length < 24) id += idLetters[byte % 62];
  return id;
};

export const openThreads = (storage: Storage, models: ModelServices, limits: ThreadLimits): Threads => {
  const store: ThreadStore = {
    table: storage.table,
    blobs: storage.blobs,
    clock: models.clock,
    newId,
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
