// The table in DynamoDB: one table with `pk` and `sk`, one index on `ipk` and `isk`, time to live on `expiresAt`. Reads are
// consistent but for the index; conditions, sums and versions are the service's own, so that a write is one request.
import { randomUUID } from "node:crypto";
import type { DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { compile, guess, isRepeatable, type Compiled, type Standing } from "./dynamodb/compile.ts";
import { attribute, decodeItem, encodeKey, number, text, type Attributes } from "./dynamodb/item.ts";
import { judge, passingReasons, reasonError } from "./dynamodb/judge.ts";
import { badCursor, decodeCursor, encodeCursor } from "./shared/cursor.ts";
import { isEmpty, rangeOf } from "./shared/range.ts";
import {
  defaultPolicy,
  outage,
  pause,
  persist,
  unknownOutcome,
  type Attempt,
  type RetryPolicy,
} from "../remote/persist.ts";
import { checkKeys, checkTransaction, holds, isExpired } from "./shared/semantics.ts";
import { transactOne } from "./shared/single.ts";
import type { Item, Key, Operation, Page, Query, Table, Written } from "./table.ts";

export type DynamodbOptions = {
  readonly table: string;
  /** The name of the index on `ipk` and `isk`. */
  readonly index?: string;
  /** Region, credentials and endpoint: what isn't given is found as the AWS SDK finds it. */
  readonly client?: DynamoDBClientConfig;
  readonly policy?: Partial<RetryPolicy>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
};

const store = "DynamoDB";
/** How often a write is written anew because its key wasn't as thought; each time another write came between. */
const mostRounds = 20;
/** How often one page asks on, where all that it read was expired. */
const mostReads = 10;

const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);

/** Opens the table, which must be there. Loads the SDK; sends nothing yet. */
export const openDynamodb = async (options: DynamodbOptions): Promise<Table> => {
  const sdk = await import("@aws-sdk/client-dynamodb");
  const policy: RetryPolicy = { ...defaultPolicy, ...options.policy };
  const client = new sdk.DynamoDBClient({
    ...options.client,
    // Retries are our own: the SDK's would send a sum again without knowing whether it was done.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: Math.min(2_000, policy.timeoutMs), requestTimeout: policy.timeoutMs },
  });
  const TableName = options.table;
  const IndexName = options.index ?? "index";
  const now = (): number => seconds((options.now ?? Date.now)());

  const call = <T>(repeatable: boolean, attempt: Attempt<T>): Promise<T> =>
    persist(store, policy, repeatable, judge, attempt);

  /** What stands at a key by the attributes that came with a lost condition. */
  const standingOf = (raw: Attributes | undefined, at: number): { standing: Standing; item?: Item } => {
    if (raw === undefined) return { standing: "absent" };
    const item = decodeItem(raw);
    return isExpired(item, at) ? { standing: { expired: raw[attribute.token]?.S ?? "" } } : { standing: "live", item };
  };

  type Sent = { lost: false; leaves?: Item } | { lost: true; raw: Attributes | undefined; uncertain: boolean };

  const sendOne = async (compiled: Compiled, signal: AbortSignal): Promise<Item | undefined> => {
    const common = { TableName, ReturnValuesOnConditionCheckFailure: "ALL_OLD" } as const;
    const abort = { abortSignal: signal };
    if (compiled.kind === "put") {
      await client.send(new sdk.PutItemCommand({ ...common, ...compiled.input }), abort);
      return compiled.leaves;
    }
    if (compiled.kind === "update") {
      const ReturnValues = compiled.leaves === undefined ? "ALL_NEW" : "NONE";
      const answer = await client.send(
        new sdk.UpdateItemCommand({ ...common, ...compiled.input, ReturnValues }),
        abort,
      );
      return compiled.leaves ?? decodeItem(answer.Attributes ?? {});
    }
    await client.send(new sdk.DeleteItemCommand({ ...common, ...compiled.input }), abort);
    return undefined;
  };

  const write = async (operation: Operation): Promise<Written> => {
    checkKeys(operation);
    const token = randomUUID();
    let standing = guess(operation);
    for (let round = 1; round <= mostRounds; round += 1) {
      const at = now();
      const compiled = compile(operation, standing, token, at);
      const sent = await call(isRepeatable(operation, standing), async (signal, uncertain): Promise<Sent> => {
        try {
          const leaves = await sendOne(compiled, signal);
          return { lost: false, ...(leaves === undefined ? {} : { leaves }) };
        } catch (error) {
          if (error instanceof sdk.ConditionalCheckFailedException) return { lost: true, raw: error.Item, uncertain };
          throw error;
        }
      });
      if (!sent.lost) return { ok: true, ...(sent.leaves === undefined ? {} : { item: sent.leaves }) };
      if (sent.uncertain) {
        // An earlier try may have been done, and be what the condition now fails on.
        if (sent.raw?.[attribute.token]?.S !== token) throw unknownOutcome(store, undefined);
        return { ok: true, item: decodeItem(sent.raw) };
      }
      const found = standingOf(sent.raw, at);
      if (!holds(operation.condition, found.item))
        return { ok: false, failed: 0, ...(found.item === undefined ? {} : { item: found.item }) };
      standing = found.standing;
      if (round > 2) await pause(round);
    }
    throw outage(store, undefined);
  };

  const transactItem = (compiled: Compiled): object => {
    const input = { TableName, ReturnValuesOnConditionCheckFailure: "ALL_OLD", ...compiled.input } as const;
    const names = { put: "Put", update: "Update", delete: "Delete", check: "ConditionCheck" } as const;
    return { [names[compiled.kind]]: input };
  };

  const transact = async (operations: readonly Operation[]): Promise<Written> => {
    const standings = operations.map(guess);
    for (let round = 1; round <= mostRounds; round += 1) {
      const at = now();
      const token = randomUUID();
      const TransactItems = operations.map((operation, each) =>
        transactItem(compile(operation, standings[each] ?? "live", token, at)),
      );
      // The token makes it safe to send the same again: done once, it answers as if it were done now.
      const reasons = await call(true, async (abortSignal) => {
        try {
          await client.send(new sdk.TransactWriteItemsCommand({ TransactItems, ClientRequestToken: token }), {
            abortSignal,
          });
          return undefined;
        } catch (error) {
          if (error instanceof sdk.TransactionCanceledException && error.CancellationReasons !== undefined)
            return error.CancellationReasons;
          throw error;
        }
      });
      if (reasons === undefined) return { ok: true };
      // A lost condition tells more than any other reason.
      for (const [failed, reason] of reasons.entries()) {
        if (reason.Code !== "ConditionalCheckFailed") continue;
        const { standing, item } = standingOf(reason.Item, at);
        if (!holds(operations[failed]?.condition, item))
          return { ok: false, failed, ...(item === undefined ? {} : { item }) };
        standings[failed] = standing;
      }
      const others = reasons.filter(({ Code = "None" }) => Code !== "None" && Code !== "ConditionalCheckFailed");
      const broken = others.find(({ Code = "" }) => !passingReasons.has(Code));
      if (broken !== undefined) throw reasonError(broken.Code ?? "", broken.Message ?? "");
      const passing = others.length > 0;
      if (passing || round > 2) await pause(round);
    }
    throw outage(store, undefined);
  };

  const query = async (asked: Query): Promise<Page> => {
    const range = rangeOf(asked);
    const limit = asked.limit ?? 100;
    if (isEmpty(range) || limit <= 0) return { items: [] };
    const index = asked.index === true;
    const order = index ? [attribute.isk, attribute.pk, attribute.sk] : [attribute.sk];
    const sort = index ? attribute.isk : attribute.sk;
    const at = now();
    const values: Attributes = { ":pk": text(asked.pk), ":now": number(at) };
    const bounds: string[] = ["#p = :pk"];
    const { from, to } = range;
    if (asked.prefix !== undefined && asked.prefix !== "" && asked.after === undefined && asked.before === undefined) {
      bounds.push("begins_with(#s, :prefix)");
      values[":prefix"] = text(asked.prefix);
    } else if (from !== undefined || to !== undefined) {
      // One test of the sort key is all there is: of two bounds the upper is included, and dropped below.
      bounds.push(from === undefined ? "#s < :to" : to === undefined ? "#s >= :from" : "#s BETWEEN :from AND :to");
      if (from !== undefined) values[":from"] = text(from);
      if (to !== undefined) values[":to"] = text(to);
    }
    const input = {
      TableName,
      ...(index ? { IndexName } : {}),
      ConsistentRead: !index,
      ScanIndexForward: asked.descending !== true,
      KeyConditionExpression: bounds.join(" AND "),
      FilterExpression: "attribute_not_exists(#e) OR #e > :now",
      ExpressionAttributeNames: {
        "#p": index ? attribute.ipk : attribute.pk,
        "#e": attribute.expiresAt,
        ...(bounds.length > 1 ? { "#s": sort } : {}),
      },
      ExpressionAttributeValues: values,
    };

    const startOf = (cursor: string): Attributes => {
      const parts = decodeCursor(cursor, order.length);
      const key = Object.fromEntries(order.map((name, part) => [name, text(parts[part] ?? "")]));
      return { ...key, [index ? attribute.ipk : attribute.pk]: text(asked.pk) };
    };
    let start = asked.cursor === undefined ? undefined : startOf(asked.cursor);
    const items: Item[] = [];
    for (let reads = 1; ; reads += 1) {
      const Limit = limit - items.length;
      const ExclusiveStartKey = start;
      const answer = await call(true, async (abortSignal) => {
        try {
          return await client.send(
            new sdk.QueryCommand({ ...input, Limit, ...(ExclusiveStartKey && { ExclusiveStartKey }) }),
            { abortSignal },
          );
        } catch (error) {
          if (asked.cursor !== undefined && error instanceof Error && /starting key/i.test(error.message))
            throw badCursor();
          throw error;
        }
      });
      for (const raw of answer.Items ?? []) {
        const item = decodeItem(raw);
        if (to === undefined || (index ? item.isk : item.sk) !== to) items.push(item);
      }
      start = answer.LastEvaluatedKey;
      if (start === undefined) return { items };
      // Asks on where it was the limit that ended the read and expired items took its place, not where it was the size.
      if (items.length >= limit || (answer.ScannedCount ?? 0) < Limit || reads >= mostReads) {
        const ended = start;
        return { items, next: encodeCursor(order.map((name) => ended[name]?.S ?? "")) };
      }
    }
  };

  const get = async (key: Key): Promise<Item | undefined> => {
    const input = { TableName, Key: encodeKey(key), ConsistentRead: true };
    const answer = await call(true, (abortSignal) => client.send(new sdk.GetItemCommand(input), { abortSignal }));
    const item = answer.Item === undefined ? undefined : decodeItem(answer.Item);
    return item === undefined || isExpired(item, now()) ? undefined : item;
  };

  return {
    get,
    put: (item, condition) => write({ put: item, ...(condition && { condition }) }),
    update: (key, change, condition) => write({ update: key, change, ...(condition && { condition }) }),
    delete: (key, condition) => write({ delete: key, ...(condition && { condition }) }),
    query,
    transact: async (pk, operations) => {
      checkTransaction(pk, operations);
      return (await transactOne(operations, get, write)) ?? transact(operations);
    },
    close: async () => {
      client.destroy();
    },
  };
};
