// Background work over Azure Queue Storage, whose messages the Functions host hands to the worker: at least once, in no order.
import type { TokenCredential } from "@azure/identity";
import { GatewayError } from "../model/error.ts";
import { azureCredential } from "../remote/azure-credential.ts";
import { azureJudge } from "../remote/azure.ts";
import { defaultPolicy, persist, type RetryPolicy } from "../remote/persist.ts";
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

/** The service hides a new message no longer: 7 days. What is due later is found by the sweeper. */
const longestDelaySeconds = 604_800;
/** Of a message as it is stored, in base64. */
const mostBytes = 65_536;

/** The Functions host expects base64 unless host.json says otherwise. */
const encode = (text: string): string => {
  const encoded = Buffer.from(text).toString("base64");
  if (encoded.length > mostBytes)
    throw new GatewayError("internal", `A queue's message has more than ${mostBytes} bytes in base64.`);
  return encoded;
};

/** Loads the SDK; sends nothing yet. */
export const openStorageQueue = async (options: StorageQueueOptions): Promise<Queue> => {
  const sdk = await import("@azure/storage-queue");
  const policy: RetryPolicy = { ...defaultPolicy, ...options.policy };
  const settings = { retryOptions: { maxTries: 1 } };
  const service =
    options.connectionString === undefined
      ? new sdk.QueueServiceClient(options.endpoint ?? "", options.credential ?? azureCredential(), settings)
      : sdk.QueueServiceClient.fromConnectionString(options.connectionString, settings);
  const queue = service.getQueueClient(options.queue);
  const judge = azureJudge("Azure Queue Storage");

  return {
    send: async (message, delaySeconds = 0) => {
      const text = encode(messageBody(message));
      // By default a message is gone after 7 days, read or not.
      const lasting = { messageTimeToLive: -1 };
      const hidden =
        delaySeconds > 0 ? { visibilityTimeout: Math.min(longestDelaySeconds, Math.ceil(delaySeconds)) } : {};
      // A message that was sent twice is worked off once: its run is fenced.
      await persist("queue", policy, true, judge, (abortSignal) =>
        queue.sendMessage(text, { ...lasting, ...hidden, abortSignal }),
      );
    },
  };
};
