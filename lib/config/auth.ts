// Who may call, as the configuration says it: defaults, and what the grammar can't see.
import type { AuthConfig, IssuerConfig } from "../config-types.ts";
import { isLoopback } from "./checks.ts";
import type { Path, Problem } from "./problems.ts";
import { nearest } from "./problems.ts";
import type { ConfigFile } from "./schema.ts";

/** Those that verify with a public key. */
export const tokenAlgorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
] as const;
const usualAlgorithms: readonly string[] = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"];

const listOf = (value: string | readonly string[]): readonly string[] => (typeof value === "string" ? [value] : value);

type AuthFile = NonNullable<ConfigFile["auth"]>;

const issuerOf = (written: NonNullable<AuthFile["issuers"]>[number]): IssuerConfig => ({
  audienceClaim: "aud",
  algorithms: usualAlgorithms,
  requiredClaims: {},
  clockSkewSeconds: 60,
  claims: {},
  defaultRoles: [],
  ...written,
  audience: listOf(written.audience),
  roles: Object.fromEntries(Object.entries(written.roles ?? {}).map(([value, roles]) => [value, listOf(roles)])),
});

/** Credentials are asked for wherever there are any. `keys`: those of the file and of the environment; `mode`: the environment's word. */
export const authOf = (
  { auth = {} }: ConfigFile,
  keys: AuthConfig["keys"],
  mode: AuthConfig["mode"] | undefined,
): AuthConfig => {
  const issuers = (auth.issuers ?? []).map(issuerOf);
  const identities = auth.identities ?? [];
  return {
    mode: mode ?? auth.mode ?? (keys.length + issuers.length + identities.length > 0 ? "keys" : "open"),
    keys,
    roles: auth.roles ?? {},
    issuers,
    identities,
    onStoreFailure: auth.onStoreFailure ?? "closed",
  };
};

const builtIn = ["viewer", "member", "operator", "admin"];

const roleProblems = (named: readonly string[], known: readonly string[], path: Path): Problem[] =>
  named.flatMap((role) => {
    if (known.includes(role)) return [];
    const meant = nearest(role, known);
    return [{ path, message: `there is no role '${role}'${meant === undefined ? "" : `; did you mean ${meant}?`}` }];
  });

const isPlain = (address: string): boolean =>
  address.startsWith("http:") && !(URL.canParse(address) && isLoopback(new URL(address).hostname));

/** Issuers that can't be told apart, that are asked without encryption, or whose tokens could do nothing. */
export const issuerProblems = ({ issuers = [], roles = {} }: AuthConfig): Problem[] => {
  const known = [...builtIn, ...Object.keys(roles)];
  return issuers.flatMap((entry, at) => {
    const path = ["auth", "issuers", at];
    const problems: Problem[] = [];
    const same = issuers.findIndex((other) => other.issuer === entry.issuer);
    if (same < at)
      problems.push({ path: [...path, "issuer"], message: `the issuer is that of auth.issuers[${same}] too` });
    for (const name of ["issuer", "jwksUri"] as const)
      if (isPlain(entry[name] ?? "")) problems.push({ path: [...path, name], message: "expected https off loopback" });
    if (entry.claims.tenant !== undefined && entry.tenant !== undefined)
      problems.push({ path: [...path, "tenant"], message: "expected tenant or claims.tenant, not both" });
    if (Object.keys(entry.roles).length === 0 && entry.defaultRoles.length === 0)
      problems.push({
        path: [...path, "roles"],
        message: "expected roles or defaultRoles: no token could do anything",
      });
    for (const [value, named] of Object.entries(entry.roles))
      problems.push(...roleProblems(named, known, [...path, "roles", value]));
    problems.push(...roleProblems(entry.defaultRoles, known, [...path, "defaultRoles"]));
    return problems;
  });
};

/** Identities that name nobody or two, that no ARN can match, or whose roles are not there. */
export const identityProblems = ({ identities = [], roles = {} }: AuthConfig): Problem[] => {
  const known = [...builtIn, ...Object.keys(roles)];
  return identities.flatMap((entry, at) => {
    const path = ["auth", "identities", at];
    const problems = roleProblems(entry.roles, known, [...path, "roles"]);
    if ((entry.arn === undefined) === (entry.objectId === undefined))
      problems.push({ path, message: "expected either arn or objectId" });
    // An assumed role's ARN has no path, so that this would stand for every role of the account.
    if (/:role\/.+\/\*$/.test(entry.arn ?? ""))
      problems.push({
        path: [...path, "arn"],
        message: "expected the beginning of a role's name before *, not its path alone",
      });
    return problems;
  });
};
