// Resources of a deployment, by type and by name.
import type { Dictionary, Value } from "./evaluate.ts";
import { deployed } from "./environments.ts";
import type { Deployed } from "./walk.ts";

export const ofType = (name: string, type: string): Deployed[] =>
  deployed(name).resources.filter((resource) => resource.type === type);

export const oneOf = (name: string, type: string): Deployed => {
  const [one, ...others] = ofType(name, type);
  if (one === undefined || others.length > 0) throw new Error(`${name}: ${others.length + 1} of ${type}`);
  return one;
};

const dictionary = (value: Value | undefined): Dictionary => (value ?? {}) as Dictionary;
export const list = (value: Value | undefined): Value[] => (Array.isArray(value) ? value : []);
export const properties = ({ body }: Deployed): Dictionary => dictionary(body["properties"]);

/** A path of names into a value. */
export const at = (value: Value, ...path: string[]): Value | undefined =>
  path.reduce<Value | undefined>((inner, name) => dictionary(inner)[name], value);

export const types = {
  storage: "Microsoft.Storage/storageAccounts",
  blobs: "Microsoft.Storage/storageAccounts/blobServices",
  containers: "Microsoft.Storage/storageAccounts/blobServices/containers",
  queues: "Microsoft.Storage/storageAccounts/queueServices/queues",
  cosmos: "Microsoft.DocumentDB/databaseAccounts",
  container: "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers",
  cosmosRole: "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments",
  vault: "Microsoft.KeyVault/vaults",
  workspace: "Microsoft.OperationalInsights/workspaces",
  insights: "Microsoft.Insights/components",
  app: "Microsoft.Web/sites",
  plan: "Microsoft.Web/serverfarms",
  noPassword: "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
  role: "Microsoft.Authorization/roleAssignments",
  lock: "Microsoft.Authorization/locks",
  diagnostics: "Microsoft.Insights/diagnosticSettings",
  endpoint: "Microsoft.Network/privateEndpoints",
  dnsZone: "Microsoft.Network/privateDnsZones",
  route: "Microsoft.Cdn/profiles/afdEndpoints/routes",
  profile: "Microsoft.Cdn/profiles",
  firewall: "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies",
  apiPolicy: "Microsoft.ApiManagement/service/apis/policies",
  queryAlert: "Microsoft.Insights/scheduledQueryRules",
  metricAlert: "Microsoft.Insights/metricAlerts",
  workbook: "Microsoft.Insights/workbooks",
} as const;
