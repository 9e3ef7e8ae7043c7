// The first key: a secret that the operator or a deployment's template sets, for making all others.
import type { AuthConfig } from "../config-types.ts";

/** What the secret is called in a vault; in the environment it is HEDDLE_ADMIN_KEY. */
export const bootstrapSecret = "admin-key";

/** An administrator of every tenant has no short key. */
const shortest = 32;

/** What is wrong with it, without a word of it; undefined where it can be used. */
export const bootstrapProblem = (secret: string): string | undefined => {
  if (secret.length < shortest) return `expected at least ${shortest} characters`;
  return /^[\x21-\x7e]+$/.test(secret) ? undefined : "expected plain characters without spaces: it is sent in a header";
};

/** As a key of the configuration: compared in constant time like those, with a role that may do everything. Throws for one that is too short. */
export const bootstrapKey = (secret: string): AuthConfig["keys"][number] => {
  const problem = bootstrapProblem(secret);
  if (problem !== undefined) throw new Error(`${bootstrapSecret} (HEDDLE_ADMIN_KEY): ${problem}`);
  return { id: "bootstrap", name: "bootstrap", key: secret, roles: ["admin"], everywhere: true };
};
