// Lists of the OpenAI APIs: `limit`, `order`, `after`; `first_id`, `last_id`, `has_more`.
import { invalid } from "../../model/error.ts";
import type { JsonObject } from "../../model/json.ts";

export type PageQuery = { limit: number; descending: boolean; after: string | undefined };

export const pageQuery = (query: URLSearchParams): PageQuery => {
  const limit = Number(query.get("limit") ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100)
    throw invalid("limit", "expected a whole number from 1 to 100");
  const order = query.get("order") ?? "desc";
  if (order !== "asc" && order !== "desc") throw invalid("order", "expected asc or desc");
  return { limit, descending: order === "desc", after: query.get("after") ?? undefined };
};

export const listOf = (data: readonly JsonObject[], hasMore: boolean): JsonObject => ({
  object: "list",
  data: [...data],
  first_id: data[0]?.["id"] ?? null,
  last_id: data.at(-1)?.["id"] ?? null,
  has_more: hasMore,
});

/** One page of all items, which are in the order of the conversation. Throws where `after` names none of them. */
export const pageOf = (all: readonly JsonObject[], { limit, descending, after }: PageQuery): JsonObject => {
  const ordered = descending ? all.toReversed() : [...all];
  const at = after === undefined ? -1 : ordered.findIndex((item) => item["id"] === after);
  if (after !== undefined && at < 0) throw invalid("after", "expected the id of an item in the list");
  const page = ordered.slice(at + 1, at + 1 + limit);
  return listOf(page, at + 1 + limit < ordered.length);
};
