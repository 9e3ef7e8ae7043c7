// The public keys of an issuer: found by OIDC discovery, kept, renewed behind calls, and used on while the issuer can't be reached.
// Nothing that a caller sends makes it ask more often than once per pause.
import type { IssuerConfig } from "../../config-types.ts";
import { uncheckable } from "./refusal.ts";

/**
 * Fetches a small document. Follows no redirect: any status but 200 comes back as it is. Rejects where the host can't be reached,
 * is later than `timeoutMs`, or answers with more than `maxBytes`.
 */
export type FetchDocument = (
  url: string,
  bounds: { maxBytes: number; timeoutMs: number },
) => Promise<{ status: number; text: string }>;

export type PublicKeys = { keys: Record<string, unknown>[] };

const second = 1_000;
const minute = 60 * second;
/** Milliseconds. */
const times = {
  /** Between two fetches, whatever came of the first. */
  pause: 30 * second,
  /** The same while there are no keys at all. */
  pauseWithout: 5 * second,
  /** Keys older than this are renewed behind a call. */
  renewed: 10 * minute,
  /** Before keys older than this are used, a renewal is waited for. */
  waited: 60 * minute,
  /** Keys older than this are not used: a key that was withdrawn must not live on by an outage. */
  kept: 24 * 60 * minute,
  discovered: 24 * 60 * minute,
} as const;
const bounds = { maxBytes: 256 * 1024, timeoutMs: 5 * second };
const maxKeys = 100;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Keys travel over https, or within this machine. */
const mayBeAsked = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== "" || password !== "") return false;
  if (protocol === "https:") return true;
  return protocol === "http:" && /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);
};

/** Shared secrets are no public keys: what an issuer publishes can't be turned against it (HS256 with a public key). */
const publicKinds: ReadonlySet<unknown> = new Set(["RSA", "EC", "OKP"]);

export type IssuerKeys<Resolver> = {
  /** Rejects `overloaded` where there are none to be had. */
  current: () => Promise<Resolver>;
  /** Newer ones than those, for a key that is not among them; undefined where none may be fetched yet, or can't. */
  newerThan: (known: Resolver) => Promise<Resolver | undefined>;
};

/** `build` makes of the published keys what looks them up. */
export const createIssuerKeys = <Resolver>(
  { issuer, jwksUri }: Pick<IssuerConfig, "issuer" | "jwksUri">,
  { fetch, now }: { fetch: FetchDocument; now: () => number },
  build: (published: PublicKeys) => Resolver,
): IssuerKeys<Resolver> => {
  let held: { resolver: Resolver; at: number } | undefined;
  let found: { uri: string; at: number } | undefined;
  let tried = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | undefined;

  const json = async (url: string): Promise<Record<string, unknown>> => {
    if (!mayBeAsked(url)) throw new Error("only https is asked for keys");
    const { status, text } = await fetch(url, bounds);
    if (status !== 200) throw new Error(`keys: HTTP ${status}`);
    const value: unknown = JSON.parse(text);
    if (!isRecord(value)) throw new Error("keys: not an object");
    return value;
  };

  const discover = async (): Promise<string> => {
    if (jwksUri !== undefined) return jwksUri;
    if (found !== undefined && now() - found.at < times.discovered) return found.uri;
    const document = await json(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
    const uri = document["jwks_uri"];
    if (document["issuer"] !== issuer || typeof uri !== "string") throw new Error("discovery: of another issuer");
    found = { uri, at: now() };
    return uri;
  };

  const load = async (): Promise<void> => {
    tried = now();
    try {
      const { keys } = await json(await discover());
      if (!Array.isArray(keys)) throw new Error("keys: none");
      const published = keys.filter((key) => isRecord(key) && publicKinds.has(key["kty"])).slice(0, maxKeys);
      held = { resolver: build({ keys: published as Record<string, unknown>[] }), at: now() };
    } catch {
      // Wherever it failed, the next try begins at the beginning. What there is goes on being used.
      found = undefined;
    }
  };

  /** Whoever comes while it is under way waits for the same. */
  const renew = async (): Promise<void> => {
    fetching ??= load().finally(() => {
      fetching = undefined;
    });
    await fetching;
  };

  const age = (): number => (held === undefined ? Number.POSITIVE_INFINITY : now() - held.at);
  const mayAsk = (): boolean => now() - tried >= (age() > times.kept ? times.pauseWithout : times.pause);

  return {
    current: async () => {
      if (age() > times.waited) {
        if (fetching !== undefined || mayAsk()) await renew();
      } else if (age() > times.renewed && mayAsk()) void renew();
      if (held === undefined || age() > times.kept) throw uncheckable(times.pauseWithout);
      return held.resolver;
    },
    newerThan: async (known) => {
      if (held?.resolver === known && (fetching !== undefined || mayAsk())) await renew();
      return held === undefined || held.resolver === known ? undefined : held.resolver;
    },
  };
};
