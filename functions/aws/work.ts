// A batch of SQS messages worked off: each stays hidden from other workers for as long as its run goes on, and fails alone.
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from "aws-lambda";
import type { Gateway } from "../../lib/gateway.ts";
import { messageId } from "../../lib/queues/sqs.ts";
import { boundsOf, type Lifetime, openLifetime } from "../shared/lifetime.ts";
import type { Runtime } from "./runtime.ts";

/** How often a message's invisibility is renewed, and for how long: a worker that dies gives it back soon. */
const beatMs = 30_000;
const hiddenSeconds = 120;

/** Renews until it is stopped. A renewal that fails costs at worst a second delivery, which is fenced. */
const keepHidden = (runtime: Runtime, receipt: string): (() => Promise<void>) => {
  const { queue, clock, log } = runtime;
  const over = new AbortController();
  const renew = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(beatMs, over.signal);
      if (over.signal.aborted) return;
      try {
        await (await queue?.())?.extend(receipt, hiddenSeconds);
      } catch (cause) {
        log.error("a message's invisibility could not be renewed", { cause });
      }
    }
  };
  const renewing = renew();
  return async () => {
    over.abort();
    await renewing;
  };
};

const workOff = async (runtime: Runtime, gateway: Gateway, record: SQSRecord, time: Lifetime): Promise<void> => {
  const id = messageId(record.body);
  // Nobody can work it off: the dead-letter queue is where it is looked at.
  if (id === undefined) throw new Error("A message that names no job.");
  if (time.over.aborted) throw time.over.reason;
  const stop = keepHidden(runtime, record.receiptHandle);
  try {
    await gateway.work(id, time.over);
  } finally {
    await stop();
  }
};

/** Throws where there is no gateway: the whole batch comes again then. */
export const createWorker =
  (runtime: Runtime) =>
  async (event: SQSEvent, context: Context): Promise<SQSBatchResponse> => {
    const time = openLifetime(boundsOf(context.getRemainingTimeInMillis()), runtime.clock.now);
    let gateway: Gateway | undefined;
    try {
      const made = await runtime.gateway();
      gateway = made;
      const failed = await Promise.all(
        event.Records.map(async (record) => {
          try {
            await workOff(runtime, made, record, time);
            return [];
          } catch (cause) {
            runtime.log.error("a job failed", { requestId: context.awsRequestId, cause });
            return [{ itemIdentifier: record.messageId }];
          }
        }),
      );
      return { batchItemFailures: failed.flat() };
    } finally {
      await runtime.finish(time, gateway);
    }
  };
