// The queue of one process: for development, and for servers that run their own background work.
import type { Queue, QueueHandler, QueueMessage } from "./queue.ts";

export type InProcessQueue = Queue & {
  /** Resolves when nothing is waiting or running, delayed messages among it. */
  idle: () => Promise<void>;
  /** Lets what is running end, and drops what is delayed: the jobs stand in the table, and a sweep finds them. */
  close: () => Promise<void>;
};

export type InProcessOptions = {
  handler: QueueHandler;
  /** Messages handled at once. */
  concurrency?: number;
  /** Times a message is handed out that fails again and again. */
  attempts?: number;
  /** Milliseconds before the second attempt; doubles with each. */
  retryMs?: number;
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Told when a message has failed for the last time, and at every failure before. */
  onFailure: (message: QueueMessage, error: unknown, final: boolean) => void;
};

export const createInProcessQueue = (options: InProcessOptions): InProcessQueue => {
  const { handler, concurrency = 4, attempts = 5, retryMs = 1000, sleep, onFailure } = options;
  const closed = new AbortController();
  const ready: { message: QueueMessage; attempt: number }[] = [];
  const running = new Set<Promise<void>>();
  const delayed = new Set<Promise<void>>();

  const later = (message: QueueMessage, attempt: number, ms: number): void => {
    const wait = async (): Promise<void> => {
      await sleep(ms, closed.signal);
      delayed.delete(waiting);
      if (closed.signal.aborted) return;
      ready.push({ message, attempt });
      pump();
    };
    const waiting = wait();
    delayed.add(waiting);
  };

  const handle = async (message: QueueMessage, attempt: number): Promise<void> => {
    try {
      await handler(message);
    } catch (error) {
      const final = attempt >= attempts;
      onFailure(message, error, final);
      if (!final) later(message, attempt + 1, retryMs * 2 ** (attempt - 1));
    }
  };

  const pump = (): void => {
    while (running.size < concurrency && !closed.signal.aborted) {
      const next = ready.shift();
      if (next === undefined) return;
      const work = handle(next.message, next.attempt).finally(() => {
        running.delete(work);
        pump();
      });
      running.add(work);
    }
  };

  return {
    send: (message, delaySeconds = 0) => {
      if (delaySeconds > 0) later(message, 1, delaySeconds * 1000);
      else {
        ready.push({ message, attempt: 1 });
        // The sender goes on first: a handler never runs inside of the call that sent to it.
        queueMicrotask(pump);
      }
      return Promise.resolve();
    },
    idle: async () => {
      while (ready.length + running.size + delayed.size > 0) {
        await Promise.all([...running, ...delayed]);
        await Promise.resolve();
      }
    },
    close: async () => {
      closed.abort();
      ready.length = 0;
      while (running.size + delayed.size > 0) await Promise.all([...running, ...delayed]);
    },
  };
};
