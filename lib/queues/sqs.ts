// Background work over SQS. A standard queue: at least once, in no order, which is all that the port promises.
import type { SQSClientConfig } from "@aws-sdk/client-sqs";
import { awsJudge } from "../remote/aws.ts";
import { defaultPolicy, persist, type Attempt, type RetryPolicy } from "../remote/persist.ts";
import { messageBody, type Queue } from "./queue.ts";

export { messageId } from "./queue.ts";

export type SqsOptions = {
  /** The queue's URL. */
  readonly url: string;
  /** Region, credentials and endpoint: what isn't given is found as the AWS SDK finds it. */
  readonly client?: SQSClientConfig;
  readonly policy?: Partial<RetryPolicy>;
};

export type SqsQueue = Queue & {
  /** A received message stays hidden from others for so long from now on. */
  extend: (receipt: string, seconds: number) => Promise<void>;
};

/** SQS waits no longer. What is due later is found by the sweeper. */
const longestDelaySeconds = 900;

/** Loads the SDK; sends nothing yet. */
export const openSqs = async (options: SqsOptions): Promise<SqsQueue> => {
  const sdk = await import("@aws-sdk/client-sqs");
  const policy: RetryPolicy = { ...defaultPolicy, ...options.policy };
  const client = new sdk.SQSClient({
    ...options.client,
    maxAttempts: 1,
    requestHandler: { connectionTimeout: Math.min(2_000, policy.timeoutMs), requestTimeout: policy.timeoutMs },
  });
  const QueueUrl = options.url;
  const judge = awsJudge("SQS");
  /** A message that was sent twice is worked off once: its run is fenced. */
  const call = <T>(attempt: Attempt<T>): Promise<T> => persist("queue", policy, true, judge, attempt);

  return {
    send: async ({ id }, delaySeconds = 0) => {
      const input = {
        QueueUrl,
        MessageBody: messageBody({ id }),
        ...(delaySeconds > 0 ? { DelaySeconds: Math.min(longestDelaySeconds, Math.ceil(delaySeconds)) } : {}),
      };
      await call((abortSignal) => client.send(new sdk.SendMessageCommand(input), { abortSignal }));
    },
    extend: async (receipt, seconds) => {
      const input = { QueueUrl, ReceiptHandle: receipt, VisibilityTimeout: seconds };
      await call((abortSignal) => client.send(new sdk.ChangeMessageVisibilityCommand(input), { abortSignal }));
    },
  };
};
