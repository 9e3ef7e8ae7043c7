// A queue as the source of a function's events, as Lambda's poller makes it: what the function doesn't name as failed is deleted,
// the rest comes again when it is visible again, and goes to the dead-letter queue by the queue's own limit.
import { DeleteMessageCommand, type Message, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import type { LocalFunction } from "./function.ts";

const recordOf = (message: Message, queue: string): SQSRecord => {
  const attributes = message.Attributes ?? {};
  return {
    messageId: message.MessageId ?? "",
    receiptHandle: message.ReceiptHandle ?? "",
    body: message.Body ?? "",
    attributes: {
      ApproximateReceiveCount: attributes.ApproximateReceiveCount ?? "1",
      SentTimestamp: attributes.SentTimestamp ?? String(Date.now()),
      SenderId: attributes.SenderId ?? "local",
      ApproximateFirstReceiveTimestamp: attributes.ApproximateFirstReceiveTimestamp ?? String(Date.now()),
    },
    messageAttributes: {},
    md5OfBody: message.MD5OfBody ?? "",
    eventSource: "aws:sqs",
    eventSourceARN: `arn:aws:sqs:eu-west-1:123456789012:${queue}`,
    awsRegion: "eu-west-1",
  };
};

/** The messages that failed, by the function's answer; all of them where it failed itself or answers nonsense. */
const failuresOf = (answer: string, failed: boolean): ReadonlySet<string> | "all" => {
  if (failed) return "all";
  const response = JSON.parse(answer === "" ? "null" : answer) as SQSBatchResponse | null;
  const names = (response?.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier);
  return names.includes("") ? "all" : new Set(names);
};

export type QueueSource = { stop: () => Promise<void> };

export type QueueSourceOptions = {
  url: string;
  /** What isn't given is found as the SDK finds it. */
  client?: ConstructorParameters<typeof SQSClient>[0];
  batchSize?: number;
  log: (line: string) => void;
};

/** Polls until it is stopped. */
export const startQueueSource = (target: LocalFunction, options: QueueSourceOptions): QueueSource => {
  const { url, batchSize = 1, log } = options;
  const client = new SQSClient(options.client ?? {});
  const stopping = new AbortController();
  const queue = url.slice(url.lastIndexOf("/") + 1);

  const take = async (): Promise<void> => {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: url,
        MaxNumberOfMessages: batchSize,
        WaitTimeSeconds: 1,
        MessageSystemAttributeNames: ["All"],
      }),
      { abortSignal: stopping.signal },
    );
    if (Messages.length === 0) return;
    const event: SQSEvent = { Records: Messages.map((message) => recordOf(message, queue)) };
    const pieces: Buffer[] = [];
    const { error } = await target.invoke(event, { chunk: (bytes) => void pieces.push(bytes) });
    const failed = failuresOf(Buffer.concat(pieces).toString("utf8"), error !== undefined);
    for (const { MessageId = "", ReceiptHandle } of Messages)
      if (failed !== "all" && !failed.has(MessageId))
        await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle }));
  };

  const polling = (async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await take();
      } catch (error) {
        if (stopping.signal.aborted) return;
        log(`The queue can't be read: ${String(error)}`);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
  })();

  return {
    stop: async () => {
      stopping.abort();
      await polling;
      client.destroy();
    },
  };
};
