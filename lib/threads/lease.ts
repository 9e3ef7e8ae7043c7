// Holding a thread while a run is carried out: renewals that also tell whether somebody wants it to stop (F49, F54).
import { GatewayError, toGatewayError } from "../model/error.ts";
import { cancelName, endingError } from "./closing.ts";
import { fencedError } from "./event-log.ts";
import { headAt, held } from "./head.ts";
import type { ThreadStore } from "./store.ts";
import type { Lease } from "./turns.ts";

/** One write. Throws `conflict` where another has taken the thread. */
export const renewLease = async (store: ThreadStore, lease: Lease): Promise<{ cancelled: boolean }> => {
  const { head } = lease;
  const leaseUntil = store.clock.now() + store.limits.leaseMs;
  const written = await store.table.update(
    headAt(head.space, head.id),
    { set: { leaseUntil } },
    held(lease.fence, lease.run),
  );
  if (!written.ok) throw fencedError();
  return { cancelled: written.item?.data["cancel"] === lease.run };
};

export type HeldLease = {
  /** Fires with a `GatewayError`: `cancelled` where the run is to stop, `conflict` where the thread was lost. */
  signal: AbortSignal;
  /** To be awaited before the turn is ended: no renewal runs after it (F56). */
  stop: () => Promise<void>;
};

/** Renews three times in the life of a lease, at once when a cancellation is told within this process. */
export const holdLease = (store: ThreadStore, lease: Lease): HeldLease => {
  const over = new AbortController();
  const told = new AbortController();
  const every = store.limits.leaseMs / 3;

  const renewing = async (): Promise<void> => {
    let heldUntil = store.clock.now() + store.limits.leaseMs;
    while (!over.signal.aborted && !told.signal.aborted) {
      await pause(store, every, cancelName(lease.run), over.signal);
      if (over.signal.aborted) return;
      try {
        const { cancelled } = await renewLease(store, lease);
        heldUntil = store.clock.now() + store.limits.leaseMs;
        if (cancelled) told.abort(endingError("cancelled"));
      } catch (thrown) {
        const error = toGatewayError(thrown);
        // A store that is down for a moment costs nothing while the lease lasts.
        if (error.code === "conflict") told.abort(error);
        else if (store.clock.now() >= heldUntil)
          told.abort(new GatewayError("storage", "The thread's lease could not be renewed.", { cause: thrown }));
      }
    }
  };
  const running = renewing();

  return {
    signal: told.signal,
    stop: async () => {
      over.abort();
      await running;
    },
  };
};

const pause = async (store: ThreadStore, ms: number, name: string, signal: AbortSignal): Promise<void> => {
  const awake = new AbortController();
  const wake = (): void => awake.abort();
  signal.addEventListener("abort", wake, { once: true });
  try {
    await Promise.race([store.clock.sleep(ms, awake.signal), store.hub.changed(name, awake.signal)]);
  } finally {
    wake();
    signal.removeEventListener("abort", wake);
  }
};
