// A storage queue as the source of a function's events, as the host's queue trigger makes it: at least once, hidden while it runs,
// again when it failed, and to `<queue>-poison` when it failed too often.
import type { DequeuedMessageItem, QueueClient, QueueServiceClient } from "@azure/storage-queue";
import type { RpcData } from "./messages.ts";
import { type HostJson, millisecondsOf } from "./settings.ts";
import type { Outcome } from "./worker-process.ts";

export type QueueSourceOptions = {
  /** Of the binding, its names resolved. */
  queueName: string;
  /** The binding's `connection`: the name of a setting, or the start of several. */
  connection: string;
  settings: Readonly<Record<string, string>>;
  hostJson: HostJson;
  invoke: (data: RpcData, metadata: Record<string, RpcData>) => Promise<Outcome>;
  log: (text: string) => void;
  /** How long a message stays hidden while it runs, before it is renewed (the host's own: ten minutes). */
  leaseMs?: number;
};

export type QueueSource = { stop: () => Promise<void> };

/** By connection string, by the managed identity that is named, or by whoever runs this. Throws where no setting has it. */
const openService = async (
  connection: string,
  settings: Readonly<Record<string, string>>,
): Promise<QueueServiceClient> => {
  const { QueueServiceClient: Service } = await import("@azure/storage-queue");
  const text = settings[connection] ?? settings[`AzureWebJobs${connection}`];
  if (text !== undefined) return Service.fromConnectionString(text);
  const uri = settings[`${connection}__queueServiceUri`];
  if (uri === undefined) throw new Error(`There is no setting ${connection}, and no ${connection}__queueServiceUri`);
  const { DefaultAzureCredential, ManagedIdentityCredential } = await import("@azure/identity");
  const managed = settings[`${connection}__credential`]?.toLowerCase() === "managedidentity";
  const clientId = settings[`${connection}__clientId`] ?? "";
  return new Service(
    uri,
    managed ? new ManagedIdentityCredential(clientId === "" ? {} : { clientId }) : new DefaultAzureCredential(),
  );
};

const isBase64 = (text: string): boolean =>
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text);

const metadataOf = (message: DequeuedMessageItem, body: string): Record<string, RpcData> => ({
  QueueTrigger: { string: body },
  DequeueCount: { json: String(message.dequeueCount) },
  Id: { string: message.messageId },
  PopReceipt: { string: message.popReceipt },
  InsertionTime: { json: JSON.stringify(message.insertedOn) },
  ExpirationTime: { json: JSON.stringify(message.expiresOn) },
  NextVisibleTime: { json: JSON.stringify(message.nextVisibleOn) },
});

/** Polls until it is stopped; then waits for what runs. */
export const startQueueSource = async (options: QueueSourceOptions): Promise<QueueSource> => {
  const { queueName, connection, settings, hostJson, invoke, log, leaseMs = 600_000 } = options;
  const given = hostJson.extensions?.queues ?? {};
  const { batchSize = 16, maxDequeueCount = 5, messageEncoding = "base64" } = given;
  const { newBatchThreshold = Math.floor(batchSize / 2) } = given;
  const hiddenAfterFailure = Math.round(millisecondsOf(given.visibilityTimeout ?? "00:00:00") / 1000);
  const longestPause = Math.max(100, millisecondsOf(given.maxPollingInterval ?? "00:00:02"));
  const service = await openService(connection, settings);
  const queue: QueueClient = service.getQueueClient(queueName);
  const poison: QueueClient = service.getQueueClient(`${queueName}-poison`);

  const bury = async (
    { messageId, popReceipt, messageText }: DequeuedMessageItem,
    receipt = popReceipt,
  ): Promise<void> => {
    log(`Message has reached MaxDequeueCount of ${maxDequeueCount}. Moving message to queue '${queueName}-poison'.`);
    await poison.createIfNotExists();
    await poison.sendMessage(messageText);
    await queue.deleteMessage(messageId, receipt);
  };

  const work = async (message: DequeuedMessageItem): Promise<void> => {
    const { messageId, messageText, dequeueCount } = message;
    const readable = messageEncoding === "none" || isBase64(messageText);
    // One that nobody can read, or that has killed its worker too often, is not tried any more.
    if (!readable || dequeueCount > maxDequeueCount) return bury(message);
    const body = messageEncoding === "none" ? messageText : Buffer.from(messageText, "base64").toString("utf8");
    let { popReceipt } = message;
    let renewing: Promise<void> = Promise.resolve();
    const renewal = setInterval(() => {
      renewing = (async (): Promise<void> => {
        const { popReceipt: renewed } = await queue.updateMessage(messageId, popReceipt, undefined, leaseMs / 1000);
        popReceipt = renewed ?? popReceipt;
      })().catch(() => undefined);
    }, leaseMs / 2);
    const { error } = await invoke({ string: body }, metadataOf(message, body));
    clearInterval(renewal);
    await renewing;
    if (error === undefined) await queue.deleteMessage(messageId, popReceipt);
    else if (dequeueCount >= maxDequeueCount) await bury(message, popReceipt);
    else await queue.updateMessage(messageId, popReceipt, undefined, hiddenAfterFailure);
  };

  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  const oneEnded = (): Promise<unknown> => Promise.race(running);
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        stopping.signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      stopping.signal.addEventListener("abort", done);
    });

  const take = async (): Promise<number> => {
    const { receivedMessageItems } = await queue.receiveMessages({
      numberOfMessages: batchSize,
      visibilityTimeout: Math.max(1, Math.round(leaseMs / 1000)),
      abortSignal: stopping.signal,
    });
    for (const message of receivedMessageItems) {
      const one = work(message)
        .catch((error: unknown) => log(`The message ${message.messageId} was left: ${String(error)}`))
        .finally(() => running.delete(one));
      running.add(one);
    }
    return receivedMessageItems.length;
  };

  const poll = async (): Promise<void> => {
    let wait = 100;
    while (!stopping.signal.aborted) {
      let found = 0;
      try {
        found = await take();
      } catch (error) {
        if (stopping.signal.aborted) return;
        // A queue that is not there yet is an empty one.
        if ((error as { statusCode?: number }).statusCode !== 404) log(`The queue can't be read: ${String(error)}`);
      }
      wait = found > 0 ? 100 : Math.min(wait * 2, longestPause);
      if (found === 0) await pause(wait);
      while (running.size > newBatchThreshold && !stopping.signal.aborted) await oneEnded();
    }
  };
  const polling = poll();

  return {
    stop: async () => {
      stopping.abort();
      await polling;
      await Promise.all(running);
    },
  };
};
