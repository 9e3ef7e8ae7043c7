// A streamed answer on its way to its first caller, recorded so that the same call can have it again.
import type { Headers, ReplyBody } from "../model/call.ts";
import { isObject, parseJson } from "../model/json.ts";
import type { KeptAnswer } from "../threads/idempotency.ts";
import type { Target } from "../wires/wire.ts";
import type { RouteContext } from "./route.ts";

/** Bytes of an answer that is kept; a longer one goes out unrecorded, and a retry is a new call. */
export const maxKeptBytes = 8 * 1024 * 1024;

/** Text as text, everything else in base64. */
export const keptBytes = (bytes: Uint8Array): Pick<KeptAnswer, "body" | "binary"> => {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return process.getBuiltinModule("node:buffer").isUtf8(buffer)
    ? { body: buffer.toString("utf8") }
    : { body: buffer.toString("base64"), binary: true };
};

/**
 * A chat call whose caller leaves is given up, as without a key. Whatever else is streamed (a run, speech) is carried to its end: the
 * key says that the caller may come back for it.
 */
export const isChat = (path: string): boolean =>
  /^\/v1\/(?:chat\/completions|messages|responses)$|:(?:g|streamG)enerateContent$/.test(path);

const anyone: Target = { provider: "", maker: "", model: "", dialect: {} };

/** Whether what was sent is an answer with its end, and no failure within. `ended`: nothing was to come any more. */
const isWhole = ({ call, wire }: RouteContext, headers: Headers, bytes: Uint8Array, ended: boolean): boolean => {
  if (!isChat(call.path)) return ended;
  if (headers["content-type"]?.startsWith("text/event-stream") === true) {
    const decoder = wire.decodeEvents(anyone);
    const events = [...decoder.push(bytes), ...decoder.end()];
    return events.some(({ type }) => type === "response-end") && !events.some(({ type }) => type === "error");
  }
  const list = parseJson(Buffer.from(bytes).toString("utf8"));
  return Array.isArray(list) && !list.some((each) => isObject(each) && (each["error"] ?? null) !== null);
};

type Outcome = { keep: (bytes: Uint8Array) => Promise<void>; free: () => Promise<void> };

/** The same body; when it is over, `keep` is called with all of it, or `free` where it is no answer to keep. Both once, and before the end is told. */
export const keepStream = (
  context: RouteContext,
  headers: Headers,
  body: Exclude<ReplyBody, string | Uint8Array>,
  { keep, free }: Outcome,
): AsyncIterable<Uint8Array | string> => {
  const source = body[Symbol.asyncIterator]();
  let pieces: Buffer[] = [];
  let size = 0;
  let settled: Promise<void> | undefined;
  const record = (piece: Uint8Array | string): void => {
    size += piece.length;
    if (size > maxKeptBytes) pieces = [];
    // Copied: readers of an upstream use their buffers again.
    else pieces.push(Buffer.from(piece));
  };
  const settle = (ended: boolean): Promise<void> => {
    const bytes = Buffer.concat(pieces);
    settled ??= size <= maxKeptBytes && isWhole(context, headers, bytes, ended) ? keep(bytes) : free();
    return settled;
  };
  const drain = async (): Promise<void> => {
    try {
      for (let next = await source.next(); next.done !== true; next = await source.next()) record(next.value);
      await settle(true);
    } catch {
      await settle(false);
    }
  };
  const iterator: AsyncIterator<Uint8Array | string> = {
    next: async () => {
      try {
        const result = await source.next();
        if (result.done === true) await settle(true);
        else record(result.value);
        return result;
      } catch (thrown) {
        await settle(false);
        throw thrown;
      }
    },
    return: async () => {
      if (!isChat(context.call.path)) {
        context.invocation.waitUntil(drain());
        return { done: true, value: undefined };
      }
      // Clients leave when they have seen the end of an answer, which may be before the end of its stream.
      await settle(false);
      await source.return?.();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
};
