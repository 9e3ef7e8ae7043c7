// A real SQS server for tests, in this process: a queue with its dead-letter queue.
import { once } from "node:events";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { createSqsServer } from "local-aws-sqs";
import { freePort } from "../../support/dynamodb.ts";

export type LocalSqs = {
  /** What an SQS client is made of. */
  client: { endpoint: string; region: string; credentials: { accessKeyId: string; secretAccessKey: string } };
  /** A queue whose messages come again after a second, and are dead after `most` times. */
  createQueue: (most: number) => Promise<{ url: string; deadUrl: string }>;
  send: (url: string, body: string) => Promise<void>;
  /** Bodies of what lies there now. */
  read: (url: string) => Promise<string[]>;
  stop: () => Promise<void>;
};

export const startSqs = async (): Promise<LocalSqs> => {
  const port = await freePort();
  const server = await createSqsServer({ port, hostname: "127.0.0.1" });
  if (!server.listening) await once(server, "listening");
  const client = {
    endpoint: `http://127.0.0.1:${port}`,
    region: "eu-west-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  };
  const sqs = new SQSClient(client);
  let queues = 0;
  const create = async (name: string, attributes: Record<string, string>): Promise<string> => {
    const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
    return QueueUrl;
  };
  return {
    client,
    createQueue: async (most) => {
      queues += 1;
      const deadUrl = await create(`dead-${queues}`, {});
      const { Attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: deadUrl, AttributeNames: ["QueueArn"] }),
      );
      const url = await create(`queue-${queues}`, {
        VisibilityTimeout: "1",
        RedrivePolicy: JSON.stringify({ deadLetterTargetArn: Attributes?.["QueueArn"], maxReceiveCount: most }),
      });
      return { url, deadUrl };
    },
    send: async (url, body) => {
      await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body }));
    },
    read: async (url) => {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, VisibilityTimeout: 0 }),
      );
      return Messages.map(({ Body = "" }) => Body);
    },
    stop: async () => {
      sqs.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
