// The providers: each is asked for its models with the key that is configured, and its clock is compared with this one.
import type { HeddleConfig, ProviderConfig } from "../../../lib/config-types.ts";
import { createUndiciTransport } from "../../../lib/http/undici-transport.ts";
import { hostOf } from "../../../lib/providers/dialects.ts";
import type { ProviderKind } from "../../../lib/providers/provider.ts";
import { createRegistry } from "../../../lib/providers/registry.ts";
import { fail, type Finding, ok, warn } from "./findings.ts";

/** Signatures and tokens allow for minutes; a second or two is the network. */
const skewWarnMs = 5_000;
const skewFailMs = 120_000;

const skewFinding = (skews: readonly number[]): Finding[] => {
  const [least] = skews.toSorted((a, b) => Math.abs(a) - Math.abs(b));
  if (least === undefined) return [];
  const seconds = Math.round(Math.abs(least) / 1_000);
  const mend = "set this machine's clock by NTP";
  const said = `${seconds} s ${least > 0 ? "ahead of" : "behind"} the providers'`;
  if (Math.abs(least) >= skewFailMs) return [fail("clock", said, mend)];
  return [Math.abs(least) >= skewWarnMs ? warn("clock", said, mend) : ok("clock", "agrees with the providers'")];
};

const mendOf = (error: string): string => {
  if (/has no key|key is missing/i.test(error)) return "set the key that is named, or take the provider out";
  if (/refused|401|403|credential|authenti/i.test(error)) return "check the provider's key and its rights";
  return "check baseUrl, the network, and whether the provider is up";
};

const homes: Partial<Record<ProviderKind, string>> = {
  openai: "https://api.openai.com",
  anthropic: "https://api.anthropic.com",
  gemini: "https://generativelanguage.googleapis.com",
};

const originOf = ({ id, kind, baseUrl }: ProviderConfig): string[] => {
  const address = baseUrl ?? homes[kind] ?? (kind === "openai-compatible" ? hostOf(id, undefined).baseUrl : undefined);
  return address !== undefined && URL.canParse(address) ? [new URL(address).origin] : [];
};

/** How far this clock is ahead of a host's, in milliseconds; nothing where it doesn't say. No key is sent. */
const skewOf = async (origin: string, now: () => number): Promise<number[]> => {
  try {
    const response = await fetch(origin, { method: "HEAD", redirect: "manual", signal: AbortSignal.timeout(5_000) });
    const date = Date.parse(response.headers.get("date") ?? "");
    // Dates have no parts of a second.
    return Number.isNaN(date) ? [] : [now() - date - 500];
  } catch {
    // That it can't be reached is told of the provider itself.
    return [];
  }
};

export const examineProviders = async (config: HeddleConfig, now: () => number): Promise<Finding[]> => {
  if (config.providers.length === 0)
    return [fail("providers", "none is on: every model call will fail", "set a provider's key, or write providers")];
  const transport = createUndiciTransport(config.timeouts);
  try {
    const registry = createRegistry(config.providers, { transport, now });
    const states = await registry.status(AbortSignal.timeout(20_000));
    // A provider that was not asked, for want of a key, is not asked for the time either.
    const asked = new Set(states.filter(({ state }) => state !== "unconfigured").map(({ id }) => id));
    const origins = new Set(config.providers.filter(({ id }) => asked.has(id)).flatMap(originOf));
    const skews = await Promise.all([...origins].map((origin) => skewOf(origin, now)));
    const findings = states.map(({ id, kind, state, latencyMs, error = "" }): Finding => {
      const check = `provider ${id}`;
      const name = id === kind ? "" : ` (${kind})`;
      if (state === "ok")
        return ok(check, `answers${name}${latencyMs === undefined ? "" : `, ${Math.round(latencyMs)} ms`}`);
      return fail(check, error === "" ? "does not answer" : error, mendOf(error));
    });
    return [...findings, ...skewFinding(skews.flat())];
  } finally {
    await transport.close();
  }
};
