// The sets of parameters that infra/azure is checked under: the three environments of main.bicepparam, and every option the other way.
import type { Dictionary } from "./evaluate.ts";
import { deploy, parametersOf, type Deployment } from "./walk.ts";

const person = "00000000-0000-4000-8000-0000000000aa";

const everything: Dictionary = {
  ...parametersOf({ HEDDLE_ENVIRONMENT: "prod", AZURE_PRINCIPAL_ID: person }),
  modelsFile: "heddle.yaml",
  diagnostics: "all",
  nodeVersion: "22",
  alwaysReady: 2,
  recoverVault: true,
  alarmEmail: "alarms@example.com",
  privateNetwork: true,
  frontDoor: "Premium",
  domainName: "ai.example.com",
  dnsZoneId:
    "/subscriptions/00000000-0000-4000-8000-000000000000/resourceGroups/dns/providers/Microsoft.Network/dnsZones/example.com",
  firewall: true,
  apiManagement: "StandardV2",
  publisherEmail: "api@example.com",
  alertMinutes: 15,
  entraClientId: "00000000-0000-4000-8000-0000000000bb",
};

/** Front Door and API Management over the internet. */
const fronted: Dictionary = {
  ...parametersOf({ HEDDLE_ENVIRONMENT: "prod" }),
  frontDoor: "Standard",
  firewall: true,
  apiManagement: "BasicV2",
};
const bare: Dictionary = { console: false, operatorId: person, operatorType: "Group", restoredCosmos: "restored" };

export const environments: Record<string, Dictionary> = {
  defaults: {},
  dev: parametersOf({ HEDDLE_ENVIRONMENT: "dev" }),
  staging: parametersOf({ HEDDLE_ENVIRONMENT: "staging" }),
  prod: parametersOf({ HEDDLE_ENVIRONMENT: "prod" }),
  everything,
  fronted,
  "private, no front": { privateNetwork: true, console: false },
  "private, Front Door, no console": { privateNetwork: true, frontDoor: "Premium", console: false },
  bare,
};

const deployments = new Map<string, Deployment>();
export const deployed = (name: string): Deployment => {
  const known = deployments.get(name) ?? deploy(environments[name] ?? {});
  deployments.set(name, known);
  return known;
};
export const cases = Object.keys(environments);
