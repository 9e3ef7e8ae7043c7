// List prices as they are given: defaults in US dollars, of us-east-1 and East US, on demand and serverless.
import type { Count } from "./tally.ts";

export const priceFlags = {
  "turns-per-day": 10_000,
  "dynamodb-write": 0.625,
  "dynamodb-read": 0.125,
  "dynamodb-gb-month": 0.25,
  "cosmos-ru": 0.25,
  "cosmos-gb-month": 0.25,
  "s3-put": 0.005,
  "blob-put": 0.065,
} as const;

export type PriceName = keyof typeof priceFlags;
export type Prices = Record<PriceName, number>;

export const priceWords: Record<PriceName, string> = {
  "turns-per-day": "turns a day",
  "dynamodb-write": "$ a million write units",
  "dynamodb-read": "$ a million read units (a strongly consistent read is one for each 4 KB)",
  "dynamodb-gb-month": "$ a GB and month",
  "cosmos-ru": "$ a million request units, serverless",
  "cosmos-gb-month": "$ a GB and month",
  "s3-put": "$ a thousand puts",
  "blob-put": "$ ten thousand writes, hot tier",
};

const days = 365;
const gigabyte = 1024 ** 3;
/** What is kept grows through the year: half of it lies there on average. */
const kept = (bytesPerTurn: number, turns: number, perMonth: number): number =>
  ((bytesPerTurn * turns) / gigabyte / 2) * perMonth * 12;

export type Bill = { operations: number; storage: number };

/** Dollars in the first year. */
export const billOf: Record<string, (count: Count, keptPerTurn: number, prices: Prices) => Bill> = {
  dynamodb: (count, keptPerTurn, prices) => {
    const turns = prices["turns-per-day"] * days;
    return {
      operations:
        (turns * (count.writeUnits * prices["dynamodb-write"] + count.readUnits * prices["dynamodb-read"])) / 1e6 +
        (turns * count.blobPuts * prices["s3-put"]) / 1e3,
      storage: kept(keptPerTurn, turns, prices["dynamodb-gb-month"]),
    };
  },
  cosmos: (count, keptPerTurn, prices) => {
    const turns = prices["turns-per-day"] * days;
    return {
      operations:
        (turns * (count.writeUnits + count.readUnits) * prices["cosmos-ru"]) / 1e6 +
        (turns * count.blobPuts * prices["blob-put"]) / 1e4,
      storage: kept(keptPerTurn, turns, prices["cosmos-gb-month"]),
    };
  },
};
