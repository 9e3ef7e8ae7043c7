// A reply's body as what middy can send.
import type { Readable } from "node:stream";
import type { Reply } from "../../lib/model/call.ts";
import { type BodyOptions, streamOf } from "../shared/body.ts";

/** Longer texts are cut by middy, which may part the two halves of one character. */
const shortText = 16_384;

export const sendable = (reply: Pick<Reply, "body" | "heartbeat">, options: BodyOptions): string | Readable =>
  typeof reply.body === "string" && reply.body.length <= shortText ? reply.body : streamOf(reply, options);
