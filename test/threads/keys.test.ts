import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  byTime,
  byTitle,
  clientIdKey,
  eventKey,
  idempotencyPartition,
  jobPartition,
  messageKey,
  metadataIndex,
  newMessageId,
  newRunId,
  ownerIndex,
  seqOfMessageId,
  threadPartition,
  titleIndex,
  titlePrefix,
  usageIndex,
} from "../../lib/threads/keys.ts";

const bytes = (text: string): number => Buffer.byteLength(text);
const name = fc.string({ unit: "binary", maxLength: 300 });
const hasNoLoneSurrogate = (text: string): boolean => text.isWellFormed();

test("every key begins with the space, and no two spaces share any", () => {
  fc.assert(
    fc.property(
      name.filter(hasNoLoneSurrogate),
      name.filter(hasNoLoneSurrogate),
      name.filter(hasNoLoneSurrogate),
      (a, b, other) => {
        for (const make of [
          (space: string) => threadPartition(space, other),
          (space: string) => jobPartition(space, other),
          (space: string) => idempotencyPartition(space, other, other),
          (space: string) => ownerIndex(space, other),
          (space: string) => titleIndex(space, other),
          (space: string) => metadataIndex(space, other, other, other),
          (space: string) => usageIndex(space),
        ]) {
          expect(make(a).startsWith(`${threadPartition(a, "").split("/")[0]}/`)).toBe(true);
          expect(make(a) === make(b)).toBe(a === b);
          // No space's name reaches the sweeper's own lists.
          expect(make(a).startsWith("~")).toBe(false);
        }
      },
    ),
  );
});

test("keys stay within what every store takes", () => {
  const long = "🧵".repeat(300);
  expect(bytes(metadataIndex("t", long, long, long))).toBeLessThan(2048);
  expect(bytes(clientIdKey(long))).toBeLessThan(1024);
  expect(bytes(byTitle(long, "x".repeat(128)))).toBeLessThan(1024);
  expect(clientIdKey(long)).not.toBe(clientIdKey(`${long}x`));
});

test("numbers and times sort as text", () => {
  const sorted = (keys: string[]): void => expect(keys.toSorted()).toEqual(keys);
  sorted([0, 9, 10, 99, 100, 12_345].map(messageKey));
  sorted([1, 2, 10, 1000].map((first) => eventKey("run", first)));
  sorted([1, 1_000, 1_700_000_000_000, 1_800_000_000_000].map((ms) => byTime(ms, "x")));
  sorted([1_700_000_000_000, 1_700_000_000_001, 1_900_000_000_000].map((ms) => newRunId(ms, "z".repeat(24))));
});

test("a message's id tells its number, and nothing else is taken for one", () => {
  fc.assert(
    fc.property(fc.nat(), (seq) => {
      expect(seqOfMessageId(newMessageId(seq, "Ab3".repeat(8)))).toBe(seq);
    }),
  );
  for (const id of ["msg_01HXYZ", "msg_", "msg_1_", "msg_1_a/b", "MSG_1_a", ""])
    expect(seqOfMessageId(id)).toBeUndefined();
});

test("titles compare without case, width or space around them", () => {
  expect(byTitle(" Ｈello ", "x").startsWith(titlePrefix("HELL"))).toBe(true);
});
