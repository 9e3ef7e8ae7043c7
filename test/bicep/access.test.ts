// Who may do what, and who can come near: roles, keys that are not there, private networking.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cases, deployed, environments } from "./environments.ts";
import { textOf } from "./evaluate.ts";
import { at, list, ofType, oneOf, properties, types } from "./resources.ts";
import { infra, readBicep } from "./walk.ts";

const names = readdirSync(infra, { recursive: true }) as string[];
const sources = names.filter((name) => /\.(?:bicep|bicepparam|xml|json|sh)$/.test(name));
const text = (name: string): string => readFileSync(join(infra, name), "utf8");

/** Every role that is given, to whom, where, and why it takes no less. */
const roles: Record<string, { role: string; of: "app" | "operator"; scope: RegExp; why: string }> = {
  "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": {
    role: "Storage Blob Data Owner",
    of: "app",
    scope: /\/storageAccounts\/[^/]+$/,
    why: "the host makes containers, takes leases in them and runs the package that lies there; Microsoft asks for Owner of the account",
  },
  "974c5e8b-45b9-4653-ba55-5f855dd0fb88": {
    role: "Storage Queue Data Contributor",
    of: "app",
    scope: /\/queueServices\/default\/queues\/heddle-jobs(?:-poison)?$/,
    why: "the gateway sends, the host receives, hides, deletes, and moves to the poison queue, the sweeper counts and peeks: these two queues, no others",
  },
  "4633458b-17de-408a-b874-0445c86b69e6": {
    role: "Key Vault Secrets User",
    of: "app",
    scope: /\/vaults\/[^/]+$/,
    why: "lists secrets and reads their values; the vault is this deployment's own",
  },
  "3913510d-42f4-4e42-8a64-420c390055eb": {
    role: "Monitoring Metrics Publisher",
    of: "app",
    scope: /\/components\/[^/]+$/,
    why: "telemetry is taken from identities alone",
  },
  "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": {
    role: "Key Vault Secrets Officer",
    of: "operator",
    scope: /\/vaults\/[^/]+$/,
    why: "puts the providers' keys there; given only where somebody is named",
  },
};

describe.each(cases)("roles under the parameters of %s", (name) => {
  const given = ofType(name, types.role).map((assignment) => ({
    ...properties(assignment),
    scope: assignment.scope ?? "",
  }));

  test("are those of the table, each at its smallest scope, each for whom it is", () => {
    const seen = new Set<string>();
    for (const { scope, roleDefinitionId, principalId, principalType } of given as Record<string, string>[]) {
      const role = roles[roleDefinitionId?.split("/").at(-1) ?? ""];
      expect(role, roleDefinitionId).toBeDefined();
      expect(scope).toMatch(role?.scope ?? /^$/);
      if (role?.of === "app") {
        expect(principalId).toBe("{{modules/identity.bicep:identity.properties.principalId}}");
        expect(principalType).toBe("ServicePrincipal");
      } else expect(principalId).toBe(environments[name]?.["operatorId"]);
      seen.add(role?.role ?? "");
    }
    const expected = Object.values(roles).filter(({ of }) => of === "app" || environments[name]?.["operatorId"]);
    expect([...seen].toSorted()).toEqual(expected.map(({ role }) => role).toSorted());
    expect(given).toHaveLength(expected.length + 1);
  });

  test("of Cosmos DB is its own, for the data of one database", () => {
    const role = oneOf(name, types.cosmosRole);
    expect(properties(role)["roleDefinitionId"]).toMatch(/\/sqlRoleDefinitions\/00000000-0000-0000-0000-000000000002$/);
    expect(properties(role)["scope"]).toMatch(/\/databaseAccounts\/[^/]+\/dbs\/heddle$/);
  });
});

describe("keys", () => {
  test.each(sources)("%s asks Azure for none, and holds none", (name) => {
    const source = text(name).replaceAll(/^\s*(?:\/\/|#).*$/gm, "");
    expect(source).not.toMatch(/\.?list[A-Z]\w*\(/);
    expect(source).not.toMatch(/AccountKey=|SharedAccessSignature|sig=|DefaultEndpointsProtocol|InstrumentationKey/i);
    expect(source).not.toMatch(/\b(?:accountKey|primaryKey|secondaryKey|primaryMasterKey)\b/);
  });

  test("the one connection string is that of Application Insights, which takes no telemetry for it", () => {
    const found = sources.flatMap((name) => text(name).match(/\w+(?:\.\w+)*\.ConnectionString\b/gi) ?? []);
    expect(found).toEqual(["insights.properties.ConnectionString"]);
    for (const name of cases) {
      expect(properties(oneOf(name, types.insights))["DisableLocalAuth"]).toBe(true);
      expect(at(oneOf(name, types.workspace).body, "properties", "features", "disableLocalAuth")).toBe(true);
    }
  });

  test.each(cases)("storage, Cosmos DB, the vault and the app take none, %s", (name) => {
    expect(properties(oneOf(name, types.storage))).toMatchObject({
      allowSharedKeyAccess: false,
      allowBlobPublicAccess: false,
      isLocalUserEnabled: false,
      minimumTlsVersion: "TLS1_2",
      supportsHttpsTrafficOnly: true,
    });
    expect(properties(oneOf(name, types.cosmos))).toMatchObject({ disableLocalAuth: true, minimalTlsVersion: "Tls12" });
    expect(properties(oneOf(name, types.vault))).toMatchObject({ enableRbacAuthorization: true });
    expect(properties(oneOf(name, types.vault))["accessPolicies"]).toBeUndefined();
    expect(ofType(name, types.noPassword).map(({ name: of, body }) => [of, at(body, "properties", "allow")])).toEqual([
      ["ftp", false],
      ["scm", false],
    ]);
    for (const container of ofType(name, types.containers)) expect(properties(container)["publicAccess"]).toBe("None");
  });

  test("outputs are names and addresses: no secret, and no parameter that would be one", () => {
    for (const file of names.filter((each) => each.endsWith(".bicep"))) {
      const { outputs, parameters } = readBicep(join(infra, file));
      for (const output of outputs) expect(output.name, file).not.toMatch(/password|secret|connection|token|key$/i);
      for (const parameter of parameters)
        expect(parameter.name, file).not.toMatch(/password|secret$|connectionString|key$/i);
    }
    for (const name of cases)
      for (const value of Object.values(deployed(name).outputs))
        expect(textOf(value)).not.toMatch(/ConnectionString|Key=/);
  });
});

/** What can be reached from the internet even where all is private, and why. */
const publicAnyway: Record<string, string> = {
  "Microsoft.Web/staticSites": "the console's pages are public files and hold nothing",
  "Microsoft.Cdn/profiles": "Front Door is the public face; it reaches the app by private link",
  "Microsoft.ApiManagement/service": "API Management is a public face; its calls go through the network",
  "Microsoft.Network/publicIPAddresses": "the way out: a NAT gateway lets nothing in",
};

/** What has an address to be reached at, but for the public faces. */
const reachable = [types.storage, types.cosmos, types.vault, types.workspace, types.insights, types.app];

describe.each(cases.filter((name) => environments[name]?.["privateNetwork"] === true))(
  "private networking, %s",
  (name) => {
    test("shuts every way in from the internet", () => {
      for (const type of reachable) {
        const all = Object.entries(properties(oneOf(name, type))).filter(([of]) =>
          of.startsWith("publicNetworkAccess"),
        );
        expect(all.length, type).toBeGreaterThan(0);
        for (const [, value] of all) expect(value, type).toBe("Disabled");
      }
      for (const type of [types.storage, types.vault])
        expect(at(oneOf(name, type).body, "properties", "networkAcls")).toEqual({
          defaultAction: "Deny",
          bypass: "None",
        });
    });

    test("leaves open what is meant to be, and nothing unknown", () => {
      for (const { type, body } of deployed(name).resources) {
        const access = at(body, "properties", "publicNetworkAccess");
        if (access !== undefined) expect([...reachable, ...Object.keys(publicAnyway)]).toContain(type);
      }
      const withHosts = deployed(name)
        .resources.map(({ type }) => type)
        .filter((type) => type in publicAnyway);
      for (const type of withHosts) expect(publicAnyway[type]?.length).toBeGreaterThan(10);
    });

    test("has an endpoint, with its names, for everything", () => {
      const groups = ofType(name, types.endpoint).map(({ body }) => {
        const [link] = list(at(body, "properties", "privateLinkServiceConnections"));
        return textOf(at(link ?? null, "properties", "groupIds") ?? null);
      });
      const every = ["Sql", "azuremonitor", "blob", "queue", "sites", "vault"];
      expect(new Set(groups)).toEqual(new Set(every.map((group) => JSON.stringify([group]))));
      expect(groups).toHaveLength(every.length);
      const zones = new Set(ofType(name, types.dnsZone).map(({ id }) => id));
      const named = ofType(name, "Microsoft.Network/privateEndpoints/privateDnsZoneGroups").flatMap((group) =>
        list(properties(group)["privateDnsZoneConfigs"]).map((config) =>
          textOf(at(config, "properties", "privateDnsZoneId") ?? null),
        ),
      );
      expect(new Set(named)).toEqual(zones);
      expect(ofType(name, "Microsoft.Network/privateDnsZones/virtualNetworkLinks")).toHaveLength(zones.size);
    });

    test("sends the app's own calls through the network, and out by one address", () => {
      expect(properties(oneOf(name, types.app))["virtualNetworkSubnetId"]).toMatch(/\/subnets\/app$/);
      const subnets = list(at(oneOf(name, "Microsoft.Network/virtualNetworks").body, "properties", "subnets"));
      const app = subnets.find((subnet) => at(subnet, "name") === "app") ?? null;
      expect(at(app, "properties", "natGateway", "id")).toContain("/natGateways/");
      const [delegation] = list(at(app, "properties", "delegations"));
      expect(at(delegation ?? null, "properties", "serviceName")).toBe("Microsoft.App/environments");
      for (const subnet of subnets) {
        expect(at(subnet, "properties", "networkSecurityGroup", "id")).toContain("/networkSecurityGroups/");
        expect(at(subnet, "properties", "defaultOutboundAccess")).toBe(false);
      }
      const prefixes = subnets.map((subnet) => at(subnet, "properties", "addressPrefix"));
      expect(new Set(prefixes).size).toBe(subnets.length);
    });
  },
);
