// What is kept, for how long, and what is told of it: Cosmos DB as docs/stores.md asks for it, backups, locks, diagnostic settings.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cases, deployed, environments } from "./environments.ts";
import { textOf } from "./evaluate.ts";
import { at, list, ofType, oneOf, properties, types } from "./resources.ts";
import { root } from "./walk.ts";

const page = readFileSync(`${root}docs/stores.md`, "utf8");

describe.each(cases)("state under the parameters of %s", (name) => {
  const account = properties(oneOf(name, types.cosmos));
  const resource = at(oneOf(name, types.container).body, "properties", "resource") ?? null;

  test("the container is the one that the store wants", () => {
    expect(page).toContain("| partition key | `/pk` |");
    expect(at(resource, "partitionKey", "paths")).toEqual(["/pk"]);
    expect(page).toContain("| default time to live | `-1`");
    expect(at(resource, "defaultTtl")).toBe(-1);
    const included = [...(/include (`[^;]+);/.exec(page)?.[1] ?? "").matchAll(/`([^`]+)`/g)].map((match) => match[1]);
    expect(included.length).toBeGreaterThan(2);
    expect(list(at(resource, "indexingPolicy", "includedPaths")).map((each) => at(each, "path"))).toEqual(included);
    expect(at(resource, "indexingPolicy", "excludedPaths")).toEqual([{ path: "/*" }]);
    expect(account["consistencyPolicy"]).toEqual({ defaultConsistencyLevel: "Strong" });
    expect(account["enableMultipleWriteLocations"]).toBe(false);
  });

  test("Cosmos DB is serverless, or scales up to what is said", () => {
    const throughput = environments[name]?.["cosmosThroughput"] ?? 0;
    expect(account["capabilities"]).toEqual(throughput === 0 ? [{ name: "EnableServerless" }] : []);
    expect(at(oneOf(name, types.container).body, "properties", "options")).toEqual(
      throughput === 0 ? {} : { autoscaleSettings: { maxThroughput: throughput } },
    );
  });

  test("what was deleted can be had back", () => {
    expect(at(account, "backupPolicy")).toMatchObject({ type: "Continuous" });
    expect(properties(oneOf(name, types.vault))).toMatchObject({ enableSoftDelete: true, enablePurgeProtection: true });
    expect(properties(oneOf(name, types.blobs))).toMatchObject({
      isVersioningEnabled: true,
      deleteRetentionPolicy: { enabled: true },
      containerDeleteRetentionPolicy: { enabled: true },
    });
  });

  test("production's can't be deleted by mistake", () => {
    const locked = ofType(name, types.lock).map(({ scope }) => scope?.split("/").at(-2));
    const production = environments[name]?.["environment"] === "prod";
    expect(new Set(locked)).toEqual(new Set(production ? ["databaseAccounts", "storageAccounts", "vaults"] : []));
  });

  test("queues and containers have the names that the app is told", () => {
    const settings = Object.fromEntries(
      list(at(oneOf(name, types.app).body, "properties", "siteConfig", "appSettings")).map((each) => [
        at(each, "name"),
        at(each, "value"),
      ]),
    );
    expect(ofType(name, types.queues).map((queue) => queue.name)).toEqual([
      settings["HEDDLE_QUEUE"],
      `${textOf(settings["HEDDLE_QUEUE"])}-poison`,
    ]);
    const containers = ofType(name, types.containers).map((container) => container.name);
    expect(containers).toContain(settings["HEDDLE_BLOBS"]);
    expect(at(oneOf(name, types.container).body, "name")).toBe(settings["HEDDLE_COSMOS_CONTAINER"]);
  });
});

/** Resources without a diagnostic setting, and why. */
const untold: Record<string, string> = {
  "Microsoft.ManagedIdentity/userAssignedIdentities": "has none",
  "Microsoft.Storage/storageAccounts/blobServices/containers": "told of by its service",
  "Microsoft.Storage/storageAccounts/queueServices/queues": "told of by its service",
  "Microsoft.Storage/storageAccounts/managementPolicies": "has none",
  "Microsoft.DocumentDB/databaseAccounts/sqlDatabases": "told of by its account",
  "Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers": "told of by its account",
  "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments": "told of by its account (ControlPlaneRequests)",
  "Microsoft.Authorization/roleAssignments": "told of by the activity log",
  "Microsoft.Authorization/locks": "told of by the activity log",
  "Microsoft.Insights/components": "its tables lie in the workspace: a setting would keep each row a second time",
  "Microsoft.Insights/actionGroups": "has none",
  "Microsoft.Insights/scheduledQueryRules": "told of by the activity log",
  "Microsoft.Insights/metricAlerts": "told of by the activity log",
  "Microsoft.Insights/workbooks": "has none",
  "Microsoft.Insights/privateLinkScopes/scopedResources": "has none",
  "microsoft.insights/privateLinkScopes": "has none",
  "Microsoft.Insights/diagnosticSettings": "is one",
  "Microsoft.Web/serverfarms": "Flex Consumption has no machines to measure; the app's metrics are the app's",
  "Microsoft.Web/sites/basicPublishingCredentialsPolicies": "has none",
  "Microsoft.Web/sites/config": "told of by the activity log",
  "Microsoft.Web/staticSites": "its log would hold who looked at public pages, and nothing else",
  "Microsoft.Network/privateEndpoints": "has metrics alone, which are kept without a setting",
  "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": "has none",
  "Microsoft.Network/privateDnsZones": "has metrics alone, which are kept without a setting",
  "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "has none",
  "Microsoft.Network/natGateways": "has metrics alone, which are kept without a setting",
  "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies": "told of by Front Door's profile",
  "Microsoft.Cdn/profiles/afdEndpoints": "told of by its profile",
  "Microsoft.Cdn/profiles/afdEndpoints/routes": "told of by its profile",
  "Microsoft.Cdn/profiles/originGroups": "told of by its profile",
  "Microsoft.Cdn/profiles/originGroups/origins": "told of by its profile",
  "Microsoft.Cdn/profiles/customDomains": "told of by its profile",
  "Microsoft.Cdn/profiles/securityPolicies": "told of by its profile",
  "Microsoft.ApiManagement/service/apis": "told of by its service",
  "Microsoft.ApiManagement/service/apis/operations": "told of by its service",
  "Microsoft.ApiManagement/service/apis/policies": "told of by its service",
};

describe.each(cases)("diagnostic settings under the parameters of %s", (name) => {
  const settings = ofType(name, types.diagnostics);

  test("are on every resource, but for those of the table", () => {
    const told = new Set(settings.map(({ scope }) => scope));
    for (const { id, type, place } of deployed(name).resources)
      expect(told.has(id) !== type in untold, `${place} (${type})`).toBe(true);
  });

  test("go to the workspace, and are of something", () => {
    const workspace = oneOf(name, types.workspace).id;
    for (const setting of settings) {
      expect(properties(setting)["workspaceId"], setting.place).toBe(workspace);
      const { logs, metrics } = properties(setting);
      const on = [...list(logs), ...list(metrics)].filter((each) => at(each, "enabled") === true);
      expect(on.length, setting.place).toBeGreaterThan(0);
    }
  });

  test("keep no URL with its query: Gemini clients send their key there", () => {
    const categories = settings.flatMap((setting) =>
      list(properties(setting)["logs"]).map((log) => at(log, "category")),
    );
    for (const category of ["FrontDoorAccessLog", "GatewayLogs", "GatewayLlmLogs", "AppServiceHTTPLogs"])
      expect(categories).not.toContain(category);
    expect(settings.some((setting) => list(properties(setting)["logs"]).some((log) => at(log, "categoryGroup")))).toBe(
      false,
    );
  });
});

test("no reason stands for what is nowhere", () => {
  const all = new Set(cases.flatMap((name) => deployed(name).resources.map(({ type }) => type)));
  expect(Object.keys(untold).filter((type) => !all.has(type))).toEqual([]);
});
