// Callers that the platform itself has proven: AWS IAM (function URLs, API gateways) and Entra (App Service, Container Apps). Only a
// platform's adapter says who they are; nothing that a client sends does.
import type { IdentityConfig } from "../config-types.ts";
import type { PlatformIdentity } from "../model/call.ts";
import { type Caller, defaultTenant } from "./caller.ts";

type Arn = { partition: string; account: string; kind: string; name: string };

/** `arn:aws:iam::123456789012:role/path/name`, `…:user/name`, `arn:aws:sts::123456789012:assumed-role/name/session`. */
const arnPattern = /^arn:(aws[a-z-]*):(?:iam|sts)::(\d{12}):(role|user|assumed-role|federated-user)\/(.+)$/;

const parseArn = (text: string): Arn | undefined => {
  const [, partition, account, kind, name] = arnPattern.exec(text) ?? [];
  return partition === undefined || account === undefined || kind === undefined || name === undefined
    ? undefined
    : { partition, account, kind, name };
};

/** A session stands for its role. An assumed role's ARN holds no path; a role's name is unique in its account without one. */
const withoutSession = (arn: Arn): Arn =>
  arn.kind === "assumed-role" ? { ...arn, kind: "role", name: arn.name.split("/")[0] ?? "" } : arn;
const withoutPath = (arn: Arn): Arn => ({ ...arn, name: arn.name.slice(arn.name.lastIndexOf("/") + 1) });

const write = ({ partition, account, kind, name }: Arn): string => `${partition}:${account}:${kind}/${name}`;

/** `*` stands for the rest of the name: account and kind are always meant exactly. */
const nameMatches = (pattern: string, name: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name;

const arnMatches = (pattern: Arn, arn: Arn): boolean => {
  if (pattern.partition !== arn.partition || pattern.account !== arn.account) return false;
  if (pattern.kind === arn.kind) return nameMatches(pattern.name, arn.name);
  if (pattern.kind !== "role" || arn.kind !== "assumed-role") return false;
  return nameMatches(withoutPath(pattern).name, withoutSession(arn).name);
};

type Entry = { config: IdentityConfig; arn: Arn | undefined };

const callerOf = (config: IdentityConfig, id: string, key: string, name: string): Caller => {
  const { tenant = defaultTenant, owner = id, roles, scopes, limits } = config;
  return {
    name,
    open: false,
    tenant,
    owner,
    user: owner,
    key,
    roles,
    ...(scopes === undefined ? {} : { scopes }),
    ...(limits === undefined ? {} : { limits }),
  };
};

const guid = (text: string): string => text.toLowerCase();

/** Undefined where no entry is meant for the identity: it is then as good as none. The first entry that matches counts. */
export const createIdentityMapper = (
  identities: readonly IdentityConfig[],
): ((identity: PlatformIdentity) => Caller | undefined) => {
  const entries: readonly Entry[] = identities.map((config) => ({
    config,
    arn: config.arn === undefined ? undefined : parseArn(config.arn),
  }));
  return (identity) => {
    if (identity.kind === "aws-iam") {
      const arn = parseArn(identity.arn);
      if (arn === undefined || arn.account !== identity.account) return undefined;
      const found = entries.find((entry) => entry.arn !== undefined && arnMatches(entry.arn, arn));
      if (found === undefined) return undefined;
      const { kind, name } = withoutSession(arn);
      return callerOf(found.config, `${kind}/${name}`, `iam:${write(withoutSession(arn))}`, `${kind}/${name}`);
    }
    const { objectId, tenantId, name } = identity;
    const found = entries.find(
      ({ config }) =>
        config.objectId !== undefined &&
        guid(config.objectId) === guid(objectId) &&
        (config.directory === undefined || (tenantId !== undefined && guid(config.directory) === guid(tenantId))),
    );
    const id = guid(objectId);
    return found === undefined ? undefined : callerOf(found.config, id, `entra:${id}`, name ?? id);
  };
};
