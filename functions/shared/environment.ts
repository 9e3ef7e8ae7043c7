// What a function is told from outside: variables, and secrets under the names of variables.
import type { Members } from "../../lib/secrets/secrets.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that are set to nothing are not set. */
export const variable = (env: Environment, name: string): string | undefined => env[name] || undefined;

/** Members that are not a provider's key under the provider's name. */
const variables: Readonly<Record<string, string>> = {
  "azure-openai": "AZURE_OPENAI_API_KEY",
  bedrock: "AWS_BEARER_TOKEN_BEDROCK",
  "admin-key": "HEDDLE_ADMIN_KEY",
};
/** Asked for by name, not as variables. */
const unnamed: ReadonlySet<string> = new Set(["pepper", "origin", "smoke-key"]);

/** `openai` is OPENAI_API_KEY, `my-host` MY_HOST_API_KEY; a name in capitals is a variable's own. */
const variableOf = (member: string): string =>
  variables[member] ??
  (/^[A-Z][A-Z0-9_]*$/.test(member) ? member : `${member.toUpperCase().replaceAll(/[^A-Z0-9]+/g, "_")}_API_KEY`);

/** The environment with the secrets under the names that the configuration knows; what is set already wins. */
export const withSecrets = (env: Environment, members: Members): Environment => {
  const filled: Record<string, string | undefined> = { ...env };
  for (const [member, value] of Object.entries(members)) if (!unnamed.has(member)) filled[variableOf(member)] ||= value;
  return filled;
};
