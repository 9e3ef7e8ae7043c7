// A transaction as a transactional batch. Each condition was decided on a read, and each step holds only while its item is as it
// was read (by its ETag, or by its absence): so the batch may be sent again, and never does its work twice.
import type { JSONObject, OperationInput } from "@azure/cosmos";
import { outcomeOf, isExpired } from "../shared/semantics.ts";
import type { Item, Operation } from "../table.ts";
import { decodeDocument, encodeDocument, unchanged, type Document, type Stored } from "./document.ts";
import { idOf } from "./ids.ts";

/** What lives, of what was read. */
export const living = (stored: Stored | undefined, nowSeconds: number): Item | undefined => {
  const item = stored === undefined ? undefined : decodeDocument(stored);
  return item === undefined || isExpired(item, nowSeconds) ? undefined : item;
};

const body = (document: Document): JSONObject => document as unknown as JSONObject;

// The SDK's type knows no condition on a delete; the service does, and the SDK sends what it is given.
const deleting = (id: string, ifMatch: string): OperationInput =>
  ({ operationType: "Delete", id, ifMatch }) as { operationType: "Delete"; id: string };

/** That nothing is there, as steps: what can be created and deleted wasn't there. */
const absence = (sk: string, pk: string, token: string, nowSeconds: number): OperationInput[] => [
  {
    operationType: "Create",
    resourceBody: body(encodeDocument({ pk, sk, version: 1, data: {}, expiresAt: nowSeconds }, token, nowSeconds)),
  },
  { operationType: "Delete", id: idOf(sk) },
];

/** The steps that do `operation`, whose condition holds for what was read. */
export const stepsOf = (
  operation: Operation,
  key: { readonly pk: string; readonly sk: string },
  stored: Stored | undefined,
  token: string,
  nowSeconds: number,
): OperationInput[] => {
  const before = living(stored, nowSeconds);
  const outcome = outcomeOf(operation, before);
  if (typeof outcome === "object") {
    const resourceBody = body(encodeDocument(outcome.write, token, nowSeconds));
    return stored === undefined
      ? [{ operationType: "Create", resourceBody }]
      : [{ operationType: "Replace", id: stored.id, resourceBody, ifMatch: stored._etag }];
  }
  if (stored === undefined) return operation.condition === undefined ? [] : absence(key.sk, key.pk, token, nowSeconds);
  // Deleting an expired item is as good as any way to hold that nothing is there.
  if (outcome === "delete" || before === undefined) return [deleting(stored.id, stored._etag)];
  return [
    {
      operationType: "Replace",
      id: stored.id,
      resourceBody: body(unchanged(stored, nowSeconds)),
      ifMatch: stored._etag,
    },
  ];
};
