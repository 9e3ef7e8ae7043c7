// The port of a queue. Messages are ids; what is to be done stands in the table (F52).

export type QueueMessage = {
  /** Names a job, with its tenant. */
  id: string;
};

export type Queue = {
  /** At least once, in no order. Resolves when the queue has it. */
  send: (message: QueueMessage, delaySeconds?: number) => Promise<void>;
};

/** What a worker does with a message. When it throws, the message comes again. */
export type QueueHandler = (message: QueueMessage) => Promise<void>;
