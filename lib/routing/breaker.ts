// A target that keeps failing is asked last for a while. Per instance: it saves waiting, it decides nothing that must be exact.
import type { GatewayError } from "../model/error.ts";

export type Breaker = {
  /** The targets that are well, in order, then the others: a caller is never refused for a breaker alone. */
  order: <T extends { provider: string; model: string }>(targets: readonly T[]) => readonly T[];
  succeeded: (target: { provider: string; model: string }) => void;
  /** A client's disconnect and a request's own faults are no failures of the target (F32). */
  failed: (target: { provider: string; model: string }, error: GatewayError) => void;
};

const threshold = 5;
const coolDownMs = 15_000;

export const createBreaker = (now: () => number): Breaker => {
  const failures = new Map<string, { count: number; openUntil: number }>();
  const key = (target: { provider: string; model: string }): string => `${target.provider}/${target.model}`;
  const isOpen = (target: { provider: string; model: string }): boolean =>
    (failures.get(key(target))?.openUntil ?? 0) > now();
  return {
    order: (targets) => {
      if (failures.size === 0 || targets.length < 2 || !targets.some(isOpen)) return targets;
      return [...targets.filter((target) => !isOpen(target)), ...targets.filter(isOpen)];
    },
    succeeded: (target) => {
      if (failures.size > 0) failures.delete(key(target));
    },
    failed: (target, error) => {
      if (error.code === "cancelled" || !error.retryable) return;
      const name = key(target);
      const count = (failures.get(name)?.count ?? 0) + 1;
      if (failures.size < 1_000 || failures.has(name))
        failures.set(name, { count, openUntil: count >= threshold ? now() + coolDownMs : 0 });
    },
  };
};
