// A real SQS server in memory, over the wire, with a dead-letter queue behind its queue; and the pump that Lambda's event source is.
import { once } from "node:events";
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import { createSqsServer } from "local-aws-sqs";
import { freePort } from "./dynamodb.ts";

export type LocalSqs = {
  endpoint: string;
  url: string;
  client: SQSClient;
  /** Messages on the queue, the hidden ones among them, and on the dead-letter queue. */
  depth: () => Promise<{ waiting: number; hidden: number; dead: number }>;
  /** Receives one message, if there is one, as the event that a function gets. */
  receive: () => Promise<SQSEvent | undefined>;
  /** What Lambda does with the function's answer: what did not fail is deleted, what failed comes again. */
  settle: (event: SQSEvent, response: SQSBatchResponse) => Promise<void>;
  stop: () => Promise<void>;
};

const sqsCredentials = { accessKeyId: "local", secretAccessKey: "local" };

/** `visibilitySeconds`: how long a received message is hidden; `receives`: how often it may be before it is dead. */
export const startSqs = async (visibilitySeconds = 1, receives = 2): Promise<LocalSqs> => {
  const port = await freePort();
  const server = await createSqsServer({ port, hostname: "127.0.0.1" });
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new SQSClient({ endpoint, region: "us-east-1", credentials: sqsCredentials });
  const create = async (QueueName: string, Attributes: Record<string, string>): Promise<string> =>
    (await client.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl ?? "";
  const dead = await create("dead", {});
  const url = await create("jobs", {
    VisibilityTimeout: String(visibilitySeconds),
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: "arn:aws:sqs:us-east-1:123456789012:dead",
      maxReceiveCount: String(receives),
    }),
  });
  const count = async (QueueUrl: string): Promise<{ waiting: number; hidden: number }> => {
    const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
    return {
      waiting: Number(Attributes?.["ApproximateNumberOfMessages"]),
      hidden: Number(Attributes?.["ApproximateNumberOfMessagesNotVisible"]),
    };
  };
  return {
    endpoint,
    url,
    client,
    depth: async () => ({ ...(await count(url)), dead: (await count(dead)).waiting }),
    receive: async () => {
      const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 1 }));
      if (Messages === undefined || Messages.length === 0) return undefined;
      const Records = Messages.map(
        ({ MessageId, ReceiptHandle, Body }) =>
          ({ messageId: MessageId, receiptHandle: ReceiptHandle, body: Body, eventSource: "aws:sqs" }) as SQSRecord,
      );
      return { Records };
    },
    settle: async ({ Records }, { batchItemFailures }) => {
      const failed = new Set(batchItemFailures.map((each) => each.itemIdentifier));
      for (const { messageId, receiptHandle } of Records)
        if (!failed.has(messageId))
          await client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: receiptHandle }));
    },
    stop: async () => {
      client.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
};
