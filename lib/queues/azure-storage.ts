// Background work over Azure Queue Storage, whose messages the Functions host hands to the worker: at least once, in no order.
import type { TokenCredential } from "@azure/identity";
import { GatewayError } from "../model/error.ts";
import { azureCredential } from "../remote/azure-credential.ts";
import { azureJudge, partOf } from "../remote/azure.ts";
import { type Attempt, defaultPolicy, persist, type RetryPolicy } from "../remote/persist.ts";
import { messageBody, type Queue } from "./queue.ts";

export type StorageQueueOptions = {
  /** The queue's name. It must be there. */
  readonly queue: string;
  /** `https://account.queue.core.windows.net`, with the credential, or the process's own. */
  readonly endpoint?: string;
  readonly credential?: TokenCredential;
  /** Instead of an endpoint: emulators. */
  readonly connectionString?: string;
  readonly policy?: Partial<RetryPolicy>;
};

type StorageQueueDepth = {
  /** All messages, about: those that somebody works at, and those that are due later, too. */
  readonly waiting: number;
  /** Since the oldest of those at the front that nobody works at was sent; 0 where there is none. By the service's clock. */
  readonly oldestSeconds: number;
};

export type StorageQueue = Queue & {
  /** Reads, and takes nothing. A queue that isn't there holds nothing: the host makes that of dead letters with the first of them. */
  look: () => Promise<StorageQueueDepth>;
};

/** The service hides a new message no longer: 7 days. What is due later is found by the sweeper. */
const longestDelaySeconds = 604_800;
/** Of a message as it is stored, in base64. */
const mostBytes = 65_536;
/** The service shows no more at once, and promises no order. */
const mostShown = 32;

/** The Functions host expects base64 unless host.json says otherwise. */
const encode = (text: string): string => {
  const encoded = Buffer.from(text).toString("base64");
  if (encoded.length > mostBytes)
    throw new GatewayError("internal", `A queue's message has more than ${mostBytes} bytes in base64.`);
  return encoded;
};

/** Loads the SDK; sends nothing yet. */
export const openStorageQueue = async (options: StorageQueueOptions): Promise<StorageQueue> => {
  const sdk = await import("@azure/storage-queue");
  const policy: RetryPolicy = { ...defaultPolicy, ...options.policy };
  const settings = { retryOptions: { maxTries: 1 } };
  const service =
    options.connectionString === undefined
      ? new sdk.QueueServiceClient(options.endpoint ?? "", options.credential ?? azureCredential(), settings)
      : sdk.QueueServiceClient.fromConnectionString(options.connectionString, settings);
  const queue = service.getQueueClient(options.queue);
  const judge = azureJudge("Azure Queue Storage");
  /** A message that was sent twice is worked off once: its run is fenced. */
  const call = <T>(attempt: Attempt<T>): Promise<T> => persist("queue", policy, true, judge, attempt);

  return {
    send: async (message, delaySeconds = 0) => {
      const text = encode(messageBody(message));
      // By default a message is gone after 7 days, read or not.
      const lasting = { messageTimeToLive: -1 };
      const hidden =
        delaySeconds > 0 ? { visibilityTimeout: Math.min(longestDelaySeconds, Math.ceil(delaySeconds)) } : {};
      await call((abortSignal) => queue.sendMessage(text, { ...lasting, ...hidden, abortSignal }));
    },
    look: () =>
      call(async (abortSignal) => {
        try {
          const { approximateMessagesCount: waiting = 0 } = await queue.getProperties({ abortSignal });
          const { date, peekedMessageItems } = await queue.peekMessages({ numberOfMessages: mostShown, abortSignal });
          const now = date?.getTime() ?? Date.now();
          const ages = peekedMessageItems.map(({ insertedOn }) => (now - insertedOn.getTime()) / 1_000);
          return { waiting, oldestSeconds: Math.max(0, ...ages) };
        } catch (error) {
          if (partOf(error, "code") === "QueueNotFound") return { waiting: 0, oldestSeconds: 0 };
          throw error;
        }
      }),
  };
};
