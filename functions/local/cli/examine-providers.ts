// The providers: each is asked for its models with the key that is configured, and its clock is compared with this one.
import type { HeddleConfig } from "../../../lib/config-types.ts";
import type { Transport } from "../../../lib/http/transport.ts";
import { createUndiciTransport } from "../../../lib/http/undici-transport.ts";
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

/** A provider that names no date (echo makes no call) says nothing of the clock. */
export const examineProviders = async (config: HeddleConfig, now: () => number): Promise<Finding[]> => {
  if (config.providers.length === 0)
    return [fail("providers", "none is on: every model call will fail", "set a provider's key, or write providers")];
  const transport = createUndiciTransport(config.timeouts);
  const skews: number[] = [];
  const watched: Transport = {
    ...transport,
    send: async (request, signal) => {
      const response = await transport.send(request, signal);
      const date = Date.parse(response.headers["date"] ?? "");
      // Dates have no parts of a second.
      if (!Number.isNaN(date)) skews.push(now() - date - 500);
      return response;
    },
  };
  try {
    const registry = createRegistry(config.providers, { transport: watched, now });
    const states = await registry.status(AbortSignal.timeout(20_000));
    const findings = states.map(({ id, kind, state, latencyMs, error = "" }): Finding => {
      const check = `provider ${id}`;
      const name = id === kind ? "" : ` (${kind})`;
      if (state === "ok")
        return ok(check, `answers${name}${latencyMs === undefined ? "" : `, ${Math.round(latencyMs)} ms`}`);
      return fail(check, error === "" ? "does not answer" : error, mendOf(error));
    });
    return [...findings, ...skewFinding(skews)];
  } finally {
    await transport.close();
  }
};
