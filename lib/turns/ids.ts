// Ids on the wires that name a run: an answer's id tells its thread and its run, so that no look-up table is needed to find it.
import { idLetters } from "../model/id.ts";

const threadBody = /^(thread|conv)_([A-Za-z0-9]{24})$/;
const runBody = /^run_([A-Za-z0-9]{24})$/;
const marks = { thread: "t", conv: "c" } as const;

/**
 * The body of an answer's id; a wire puts its own prefix (`resp_`, `msg_`, `chatcmpl-`) before it. Ids of Heddle's own are taken
 * apart, others (threads may have any) are written out.
 */
export const answerId = (thread: string, run: string): string => {
  const [, kind, body] = threadBody.exec(thread) ?? [];
  const ownRun = runBody.exec(run)?.[1];
  if ((kind === "thread" || kind === "conv") && body !== undefined && ownRun !== undefined)
    return `${marks[kind]}${body}${ownRun}`;
  return `x${Buffer.from(JSON.stringify([thread, run])).toString("base64url")}`;
};

/** Undefined where no run can be meant. */
export const runOfAnswer = (body: string): { thread: string; run: string } | undefined => {
  const [, mark, thread, run] = /^([tc])([A-Za-z0-9]{24})([A-Za-z0-9]{24})$/.exec(body) ?? [];
  if (mark !== undefined && thread !== undefined && run !== undefined)
    return { thread: `${mark === "t" ? "thread" : "conv"}_${thread}`, run: `run_${run}` };
  if (!/^x[A-Za-z0-9_-]{4,}$/.test(body)) return undefined;
  try {
    const pair: unknown = JSON.parse(Buffer.from(body.slice(1), "base64url").toString("utf8"));
    if (!Array.isArray(pair)) return undefined;
    const [first, second]: unknown[] = pair;
    return typeof first === "string" && typeof second === "string" ? { thread: first, run: second } : undefined;
  } catch {
    return undefined;
  }
};

/** Ids of 24 characters, the same ones in the same order for the same seed: a replay is the stream again, to the byte. */
export const seededIds = (seed: string): (() => string) => {
  let count = 0;
  return () => {
    count += 1;
    const bytes = process.getBuiltinModule("node:crypto").hash("sha256", `${seed}/${count}`, "buffer");
    let id = "";
    for (let at = 0; at < 24; at += 1) id += idLetters[(bytes[at] ?? 0) % idLetters.length];
    return id;
  };
};
