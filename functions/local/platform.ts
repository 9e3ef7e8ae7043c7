// Where the local server keeps things: an SQLite file and a folder, both below one data folder; background runs in this very process.
import { join } from "node:path";
import type { HeddleConfig } from "../../lib/config-types.ts";
import type { Clock } from "../../lib/routing/retry.ts";
import { createCachedSecrets } from "../../lib/secrets/cached.ts";
import { createLocalSecrets } from "../../lib/secrets/local.ts";
import type { Secrets } from "../../lib/secrets/secrets.ts";
import type { Log } from "../../lib/telemetry/log.ts";
import type { Storage } from "../../lib/turns/services.ts";

export type LocalStorage = {
  open: () => Promise<Storage>;
  /** What background messages are handed to. To be set before the first call. */
  onMessage: (handler: (id: string) => Promise<void>) => void;
  /** Lets running background work end, then closes the file. */
  close: () => Promise<void>;
};

/** How long background work may take to end when the server stops; what answers callers has had its own time. */
const closeMs = 2_000;

/** Environment variables first. Files are made only where things are kept at all. */
export const localSecrets = (
  { dataDir, storage }: Pick<HeddleConfig, "dataDir" | "storage">,
  variable: (name: string) => string | undefined,
): Secrets =>
  createCachedSecrets(
    createLocalSecrets({ variable, ...(storage === "none" ? {} : { folder: join(dataDir, "secrets") }) }),
    { now: Date.now },
  );

export const createLocalStorage = (config: Pick<HeddleConfig, "dataDir">, clock: Clock, log: Log): LocalStorage => {
  let handle: (id: string) => Promise<void> = () => Promise.resolve();
  let closing: (() => Promise<void>) | undefined;
  return {
    onMessage: (handler) => {
      handle = handler;
    },
    open: async () => {
      const [{ openSqlite }, { openFileBlobs }, { createInProcessQueue }] = await Promise.all([
        import("../../lib/stores/sqlite.ts"),
        import("../../lib/blobs/files.ts"),
        import("../../lib/queues/in-process.ts"),
      ]);
      const table = await openSqlite({ file: join(config.dataDir, "heddle.db") });
      const queue = createInProcessQueue({
        handler: ({ id }) => handle(id),
        sleep: clock.sleep,
        onFailure: (_message, cause, final) => {
          if (final) log.error("background work failed", { cause });
        },
      });
      closing = async () => {
        const late = new AbortController();
        // Background runs that are still at it stand in the table, and the next process's sweep finds them.
        await Promise.race([queue.close(), clock.sleep(closeMs, late.signal)]);
        late.abort();
        await table.close();
      };
      return { table, blobs: openFileBlobs({ folder: join(config.dataDir, "blobs") }), queue };
    },
    close: async () => closing?.(),
  };
};
