// The port of a queue. Messages are ids; what is to be done stands in the table (F52).
import { isObject, parseJson } from "../model/json.ts";

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

/** A message as it is sent: `{"id":"…"}`. */
export const messageBody = ({ id }: QueueMessage): string => JSON.stringify({ id });

/** The id of a message's body, as text or parsed already; undefined for what this gateway never sent. */
export const messageId = (body: unknown): string | undefined => {
  const value = typeof body === "string" ? parseJson(body) : body;
  return isObject(value) && typeof value["id"] === "string" ? value["id"] : undefined;
};
