// The model list in the shape of the asking client, and one model of it.
import { GatewayError, invalid } from "../model/error.ts";
import type { JsonObject } from "../model/json.ts";
import type { Reply } from "../model/call.ts";
import type { ModelInfo } from "../providers/provider.ts";
import type { ClientWireId } from "../model/wire-id.ts";
import { json, type Route, type RouteContext } from "./route.ts";

/** A model as Heddle names it: an alias, or `provider/model`. */
type Listed = ModelInfo & { provider: string };

/** What an alias leads to, for scopes that name targets. */
const targetsOf = ({ services }: RouteContext, model: string): string[] => {
  try {
    return services.resolve(model).map((target) => `${target.provider}/${target.model}`);
  } catch {
    // Listed by its provider, but not to be called: within the scope by its own name or not at all.
    return [];
  }
};

/** All that the caller may call. */
const list = async (context: RouteContext): Promise<Listed[]> => {
  const { registry, config, policy } = context.services;
  const found = await registry.models(context.invocation.signal);
  const listed = new Map<string, Listed>();
  for (const { name } of config.models) listed.set(name, { id: name, provider: "heddle", ownedBy: "heddle" });
  for (const model of found) {
    const id = `${model.provider}/${model.id}`;
    if (!listed.has(id)) listed.set(id, { ...model, id });
  }
  const { caller } = context;
  if (caller.scopes?.models === undefined) return [...listed.values()];
  return [...listed.values()].filter(
    ({ id }) => policy(caller, "models:list", { model: id, targets: targetsOf(context, id) }) === undefined,
  );
};

const openAi = (model: Listed): JsonObject => ({
  id: model.id,
  object: "model",
  created: model.created ?? 0,
  owned_by: model.ownedBy ?? model.provider,
});

/** Some hosts' seconds are no date. */
const dateOf = (seconds: number): string => {
  const date = new Date(seconds * 1000);
  return (Number.isNaN(date.getTime()) ? new Date(0) : date).toISOString();
};

/** What a provider tells of itself on the same wire stands; only the name is ours. */
const nativeOf = ({ native }: Listed, wire: ClientWireId): JsonObject => (native?.wire === wire ? native.value : {});

const anthropic = (model: Listed): JsonObject => ({
  display_name: model.displayName ?? model.id,
  created_at: dateOf(model.created ?? 0),
  max_input_tokens: model.inputTokenLimit ?? null,
  max_tokens: model.outputTokenLimit ?? null,
  capabilities: null,
  ...nativeOf(model, "anthropic-messages"),
  type: "model",
  id: model.id,
});

const gemini = (model: Listed): JsonObject => ({
  version: "001",
  displayName: model.displayName ?? model.id,
  ...(model.inputTokenLimit === undefined ? {} : { inputTokenLimit: model.inputTokenLimit }),
  ...(model.outputTokenLimit === undefined ? {} : { outputTokenLimit: model.outputTokenLimit }),
  supportedGenerationMethods: ["generateContent", "streamGenerateContent", "countTokens"],
  ...nativeOf(model, "gemini-generate"),
  name: `models/${model.id}`,
});

/** Where a page begins or ends. Throws where the list has changed under the caller: to begin again would never end. */
const placeOf = (models: readonly Listed[], id: string, param: string): number => {
  const at = models.findIndex((model) => model.id === id);
  if (at < 0) throw invalid(param, "expected the id of a model in the list");
  return at;
};

const page = (models: Listed[], context: RouteContext, wire: ClientWireId): JsonObject => {
  const query = context.query();
  if (wire === "anthropic-messages") {
    const limit = Math.min(Math.max(Number(query.get("limit") ?? 20) || 20, 1), 1000);
    const after = query.get("after_id");
    const before = query.get("before_id");
    let from = after === null ? 0 : placeOf(models, after, "after_id") + 1;
    let to = Math.min(models.length, from + limit);
    if (before !== null) {
      to = placeOf(models, before, "before_id");
      from = Math.max(0, to - limit);
    }
    const data = models.slice(from, to);
    return {
      data: data.map(anthropic),
      has_more: before === null ? to < models.length : from > 0,
      first_id: data[0]?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
    };
  }
  if (wire === "gemini-generate") {
    const size = Math.min(Math.max(Number(query.get("pageSize") ?? 50) || 50, 1), 1000);
    const token = query.get("pageToken") ?? "";
    if (!/^\d{0,9}$/.test(token)) throw invalid("pageToken", "expected the nextPageToken of the page before");
    const from = Number(token);
    const next = from + size;
    return {
      models: models.slice(from, next).map(gemini),
      ...(next < models.length ? { nextPageToken: String(next) } : {}),
    };
  }
  return { object: "list", data: models.map(openAi) };
};

const one = async (context: RouteContext): Promise<Reply> => {
  const id = (context.params[0] ?? "").replace(/^models\//, "");
  const models = await list(context);
  const found =
    models.find((model) => model.id === id) ?? models.find((model) => model.id.slice(model.id.indexOf("/") + 1) === id);
  if (found === undefined)
    throw new GatewayError("model_not_found", `The model '${id.slice(0, 200)}' does not exist here.`, {
      param: "model",
    });
  const shape = {
    "anthropic-messages": anthropic,
    "gemini-generate": gemini,
    "openai-chat": openAi,
    "openai-responses": openAi,
  }[context.wire.id];
  return json(200, shape(found));
};

export const modelRoutes: readonly Route[] = [
  {
    method: "GET",
    pattern: /^\/v1(?:beta)?\/models$/,
    action: "models:list",
    handle: async (context) => json(200, page(await list(context), context, context.wire.id)),
  },
  {
    method: "POST",
    pattern: /^\/v1\/models\/refresh$/,
    // It makes every provider be asked anew.
    action: "health:read",
    handle: async (context) => {
      context.services.registry.refresh();
      return json(200, page(await list(context), context, context.wire.id));
    },
  },
  {
    method: "GET",
    pattern: /^\/v1(?:beta)?\/models\/(?!.*:(?:generateContent|streamGenerateContent|countTokens)$)(.+)$/,
    action: "models:list",
    handle: one,
  },
];
