// A model name to its targets: an alias, `provider/model` (split at the first "/", aliases first), or a bare name that one provider claims.
import { GatewayError } from "../model/error.ts";

/** One place a call may go. `maxOutputTokens` is the alias's own limit, where it set one. */
export type RouteTarget = { provider: string; model: string; maxOutputTokens?: number };

/** What resolution needs to know of the configuration. */
export type RoutingTable = {
  aliases: ReadonlyMap<string, { targets: readonly string[]; maxOutputTokens?: number }>;
  providers: ReadonlySet<string>;
  /** The provider that claims a bare model name. */
  claim: (model: string) => string | undefined;
};

const unknownModel = (model: string): GatewayError =>
  new GatewayError(
    "model_not_found",
    `The model '${model.slice(0, 200)}' does not exist here: name an alias, provider/model, or a model that a configured provider claims.`,
    { param: "model" },
  );

/** The targets in order. Throws `model_not_found`. Aliases may name aliases; the configuration has refused cycles. */
export const createResolver = (table: RoutingTable): ((model: string) => readonly RouteTarget[]) => {
  const known = new Map<string, readonly RouteTarget[]>();

  const expand = (model: string, depth: number): RouteTarget[] => {
    const alias = table.aliases.get(model);
    if (alias !== undefined && depth < 16)
      return alias.targets.flatMap((name) => {
        const targets = expand(name, depth + 1);
        for (const target of targets)
          if (alias.maxOutputTokens !== undefined) target.maxOutputTokens ??= alias.maxOutputTokens;
        return targets;
      });
    const slash = model.indexOf("/");
    if (slash > 0 && table.providers.has(model.slice(0, slash)) && slash + 1 < model.length)
      return [{ provider: model.slice(0, slash), model: model.slice(slash + 1) }];
    const claimed = table.claim(model);
    if (claimed !== undefined) return [{ provider: claimed, model }];
    throw unknownModel(model);
  };

  return (model) => {
    const found = known.get(model);
    if (found !== undefined) return found;
    const targets = expand(model, 0);
    // Names come from callers: the memory of them is bounded.
    if (known.size < 1_000) known.set(model, targets);
    return targets;
  };
};
