// An entry as it lies in a block: an array, as names would be most of the block. New fields go to the end, for good.
import type { Json } from "../model/json.ts";
import type { Usage } from "../model/usage.ts";
import type { UsageEntry } from "./entry.ts";

/** Longer texts are cut: nothing that a caller names makes an item too large. What is cut off is told apart by a hash. */
const longest = 512;
export const bounded = (text: string): string => {
  if (text.length <= longest) return text.isWellFormed() ? text : text.toWellFormed();
  const hash = process.getBuiltinModule("node:crypto").hash("sha256", text, "hex");
  return `${text.slice(0, longest - 65).toWellFormed()}~${hash}`;
};

/** The entry as it can be stored: the same for its block and its rollup, so that both tell the same things apart. */
export const storable = (entry: UsageEntry): UsageEntry => ({
  ...entry,
  id: bounded(entry.id),
  key: bounded(entry.key),
  name: bounded(entry.name),
  user: bounded(entry.user),
  ...(entry.thread === undefined ? {} : { thread: bounded(entry.thread) }),
  requestId: bounded(entry.requestId),
  provider: bounded(entry.provider),
  model: bounded(entry.model),
  requestedModel: bounded(entry.requestedModel),
  ...(entry.error === undefined ? {} : { error: bounded(entry.error) }),
});

const flag = { estimated: 1, unpriced: 2, orphan: 4 };

/** The tenant stands in the block. `usage.extra` is left out: it says the same on a wire's own terms. */
export const encodeEntry = (entry: UsageEntry): Json[] => {
  const { usage } = entry;
  return [
    entry.id,
    entry.at,
    entry.key,
    entry.name,
    entry.user,
    entry.thread ?? null,
    entry.requestId,
    entry.wire,
    entry.operation,
    entry.provider,
    entry.model,
    // Mostly the same as the model's own name.
    entry.requestedModel === entry.model ? null : entry.requestedModel,
    usage.input,
    usage.output,
    usage.cachedInput ?? null,
    usage.cacheWrite ?? null,
    usage.cacheWriteLong ?? null,
    usage.reasoning ?? null,
    usage.inputAudio ?? null,
    usage.outputAudio ?? null,
    (entry.estimated === true ? flag.estimated : 0) +
      (entry.unpriced === true ? flag.unpriced : 0) +
      (entry.orphan === true ? flag.orphan : 0),
    entry.cost,
    entry.priceVersion ?? null,
    entry.ttftMs ?? null,
    entry.totalMs,
    entry.status,
    entry.error ?? null,
    entry.attempts,
  ];
};

/** Bytes that the entry takes at most, but for control characters, which no sensible name has. */
export const entryBytes = (entry: UsageEntry): number =>
  250 +
  3 *
    (entry.id.length +
      entry.key.length +
      entry.name.length +
      entry.user.length +
      (entry.thread?.length ?? 0) +
      entry.requestId.length +
      entry.provider.length +
      entry.model.length +
      entry.requestedModel.length +
      (entry.error?.length ?? 0));

const text = (value: Json | undefined): string => (typeof value === "string" ? value : "");
const count = (value: Json | undefined): number => (typeof value === "number" ? value : 0);

const usageAt = (row: readonly Json[]): Usage => {
  const usage: Usage = { input: count(row[12]), output: count(row[13]) };
  if (typeof row[14] === "number") usage.cachedInput = row[14];
  if (typeof row[15] === "number") usage.cacheWrite = row[15];
  if (typeof row[16] === "number") usage.cacheWriteLong = row[16];
  if (typeof row[17] === "number") usage.reasoning = row[17];
  if (typeof row[18] === "number") usage.inputAudio = row[18];
  if (typeof row[19] === "number") usage.outputAudio = row[19];
  return usage;
};

export const decodeEntry = (tenant: string, row: readonly Json[]): UsageEntry => {
  const flags = count(row[20]);
  const entry: UsageEntry = {
    id: text(row[0]),
    at: count(row[1]),
    tenant,
    key: text(row[2]),
    name: text(row[3]),
    user: text(row[4]),
    requestId: text(row[6]),
    wire: text(row[7]),
    operation: text(row[8]),
    provider: text(row[9]),
    model: text(row[10]),
    requestedModel: typeof row[11] === "string" ? row[11] : text(row[10]),
    usage: usageAt(row),
    cost: count(row[21]),
    totalMs: count(row[24]),
    status: count(row[25]),
    attempts: count(row[27]),
  };
  if (typeof row[5] === "string") entry.thread = row[5];
  if ((flags & flag.estimated) !== 0) entry.estimated = true;
  if ((flags & flag.unpriced) !== 0) entry.unpriced = true;
  if ((flags & flag.orphan) !== 0) entry.orphan = true;
  if (typeof row[22] === "string") entry.priceVersion = row[22];
  if (typeof row[23] === "number") entry.ttftMs = row[23];
  if (typeof row[26] === "string") entry.error = row[26];
  return entry;
};
