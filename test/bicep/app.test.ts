// The function app, what stands before it, and that its settings are read by somebody.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cases, environments } from "./environments.ts";
import { textOf } from "./evaluate.ts";
import { at, list, ofType, oneOf, properties, types } from "./resources.ts";
import { deploy, root } from "./walk.ts";

const settingsOf = (name: string): Record<string, string> =>
  Object.fromEntries(
    list(at(oneOf(name, types.app).body, "properties", "siteConfig", "appSettings")).map((each) => [
      textOf(at(each, "name")),
      textOf(at(each, "value")),
    ]),
  );

/** Settings that the Functions host reads, or a library in the worker. */
const hosts: Record<string, string> = {
  AzureWebJobsStorage__credential: "the host's identity-based connection to its storage",
  AzureWebJobsStorage__clientId: "the host's identity-based connection to its storage",
  AzureWebJobsStorage__blobServiceUri: "the host's identity-based connection to its storage; the gateway's, too",
  AzureWebJobsStorage__queueServiceUri: "the host's identity-based connection to its storage; the gateway's, too",
  AzureWebJobsDisableHomepage: "the host: `/` is the gateway's",
  APPLICATIONINSIGHTS_CONNECTION_STRING: "the host's telemetry",
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: "the host's telemetry, by identity",
  AZURE_CLIENT_ID: "which identity the Azure SDK takes",
};

/** Settings that Flex Consumption has properties for, or forbids. */
const forbidden =
  /^(?:FUNCTIONS_(?:EXTENSION_VERSION|WORKER_RUNTIME|WORKER_RUNTIME_VERSION|WORKER_PROCESS_COUNT|MAX_HTTP_CONCURRENCY)|WEBSITE_.*|ENABLE_ORYX_BUILD|SCM_DO_BUILD_DURING_DEPLOYMENT|AzureWebJobsStorage)$/;

const folders = ["functions/azure", "functions/shared", "lib"].filter((folder) => existsSync(join(root, folder)));
const sources = folders.flatMap((folder) =>
  (readdirSync(join(root, folder), { recursive: true }) as string[])
    .filter((name) => name.endsWith(".ts"))
    .map((name) => ({ path: `${folder}/${name}`, text: readFileSync(join(root, folder, name), "utf8") })),
);
const hasAzure = folders.includes("functions/azure");
const mentions = (name: string): boolean => sources.some(({ text }) => new RegExp(`["'\`.]${name}\\b`).test(text));

describe("settings", () => {
  test.skipIf(!hasAzure).each(Object.keys(settingsOf("everything")))(
    "%s is read by the code, or by the host",
    (name) => {
      if (name in hosts) expect(hosts[name]?.length).toBeGreaterThan(10);
      else expect(mentions(name), name).toBe(true);
    },
  );

  test("none is one that Flex Consumption has no use for", () => {
    for (const name of cases)
      for (const setting of Object.keys(settingsOf(name))) expect(setting).not.toMatch(forbidden);
  });

  test("what the function app reads is set, or explained", () => {
    const page = readFileSync(`${root}docs/deploy-azure.md`, "utf8");
    const own = sources.filter(({ path }) => path.startsWith("functions/azure/"));
    const asked = new Set(own.flatMap(({ text }) => text.match(/(?<=["'`%])HEDDLE_[A-Z_]+(?=["'`%])/g) ?? []));
    const set = Object.keys(settingsOf("everything"));
    for (const name of asked) if (!set.includes(name)) expect(page, name).toContain(`\`${name}\``);
  });

  test("know where everything is, and hold no value of a secret", () => {
    expect(settingsOf("prod")).toMatchObject({
      HEDDLE_ENV: "production",
      HEDDLE_AUTH: "keys",
      HEDDLE_COSMOS_DATABASE: "heddle",
      HEDDLE_HTTP_SECONDS: "220",
      AzureWebJobsStorage__credential: "managedidentity",
      AZURE_CLIENT_ID: "{{modules/identity.bicep:identity.properties.clientId}}",
    });
    expect(settingsOf("dev")["HEDDLE_ENV"]).toBe("development");
    for (const [name, value] of Object.entries(settingsOf("everything")))
      if (name !== "APPLICATIONINSIGHTS_CONNECTION_STRING") expect(value, name).not.toMatch(/key=|secret|password/i);
  });

  test("of local.settings.example.json are read by somebody, and name emulators", () => {
    const { Values, IsEncrypted } = JSON.parse(readFileSync(`${root}local.settings.example.json`, "utf8")) as {
      Values: Record<string, string>;
      IsEncrypted: boolean;
    };
    expect(IsEncrypted).toBe(false);
    expect(Values["AzureWebJobsStorage"]).toBe("UseDevelopmentStorage=true");
    for (const [name, value] of Object.entries(Values)) {
      if (hasAzure && name.startsWith("HEDDLE_")) expect(mentions(name), name).toBe(true);
      expect(value).not.toMatch(/AccountKey|\.azure\.(?:com|net)/);
    }
  });
});

describe.skipIf(!existsSync(`${root}host.json`))("host.json", () => {
  const host = existsSync(`${root}host.json`)
    ? (JSON.parse(readFileSync(`${root}host.json`, "utf8")) as Record<string, Record<string, unknown>>)
    : {};

  test("fits the worker: poison after five times, as the page says, and time for a run", () => {
    const queues = at(host as never, "extensions", "queues");
    expect(at(queues ?? null, "maxDequeueCount")).toBe(5);
    expect(readFileSync(`${root}docs/deploy-azure.md`, "utf8")).toContain("failed five times");
    const queue = sources.find(({ path }) => path === "lib/queues/azure-storage.ts");
    if (queue !== undefined && at(queues ?? null, "messageEncoding") === "base64")
      expect(queue.text).toContain("base64");
  });

  test("lets through the lines that alerts count: at level Information, unsampled", () => {
    const levels = at(host as never, "logging", "logLevel") ?? {};
    for (const category of ["Host.Function.Console", "Function"]) expect(at(levels, category)).toBe("Information");
    expect(at(host as never, "logging", "applicationInsights", "samplingSettings", "isEnabled")).toBe(false);
  });

  test("keeps no query of a URL: the spans of OpenTelemetry leave values out, and the host's own log of requests is off", () => {
    expect(at(host as never, "telemetryMode")).toBe("OpenTelemetry");
    const levels = at(host as never, "logging", "logLevel") ?? {};
    expect(at(levels, "default")).toBe("Warning");
    expect(Object.keys(levels).filter((category) => category.startsWith("Microsoft"))).toEqual([]);
    for (const { text } of sources) expect(text).not.toMatch(/DISABLE_URL_QUERY_REDACTION/);
  });
});

describe.each(cases)("the function app under the parameters of %s", (name) => {
  const app = properties(oneOf(name, types.app));

  test("is on Flex Consumption, with the size that is asked for", () => {
    expect(oneOf(name, types.plan).body["sku"]).toEqual({ name: "FC1", tier: "FlexConsumption" });
    const given = environments[name] ?? {};
    expect(at(app, "functionAppConfig", "runtime")).toEqual({ name: "node", version: given["nodeVersion"] ?? "24" });
    expect(at(app, "functionAppConfig", "scaleAndConcurrency")).toEqual({
      instanceMemoryMB: given["instanceMemory"] ?? 2048,
      maximumInstanceCount: given["maximumInstances"] ?? 100,
      alwaysReady: given["alwaysReady"] === undefined ? [] : [{ name: "http", instanceCount: given["alwaysReady"] }],
      triggers: { http: { perInstanceConcurrency: 50 } },
    });
    expect(at(app, "functionAppConfig", "deployment", "storage", "authentication", "type")).toBe(
      "UserAssignedIdentity",
    );
    for (const property of ["alwaysOn", "linuxFxVersion", "functionAppScaleLimit", "vnetRouteAllEnabled"])
      expect(at(app, "siteConfig", property)).toBeUndefined();
  });

  test("speaks HTTPS alone, and keeps no other way in", () => {
    expect(app).toMatchObject({
      httpsOnly: true,
      siteConfig: { ftpsState: "Disabled", minTlsVersion: "1.2", http20Enabled: true, remoteDebuggingEnabled: false },
    });
    expect(at(app, "siteConfig", "cors")).toBeUndefined();
  });

  test("lets in its own Front Door alone, where there is one and no private link", () => {
    const { frontDoor = "off", privateNetwork = false } = environments[name] ?? {};
    const locked = frontDoor !== "off" && privateNetwork === false;
    const [first, ...others] = list(at(app, "siteConfig", "ipSecurityRestrictions"));
    expect(at(app, "siteConfig", "ipSecurityRestrictionsDefaultAction")).toBe(locked ? "Deny" : "Allow");
    if (!locked) return expect(first).toBeUndefined();
    expect(first).toMatchObject({ action: "Allow", tag: "ServiceTag", ipAddress: "AzureFrontDoor.Backend" });
    expect(at(first ?? null, "headers")).toEqual({
      "x-azure-fdid": ["{{modules/frontdoor-profile.bicep:profile.properties.frontDoorId}}"],
    });
    for (const other of others) expect(at(other, "ipAddress")).toContain("publicIPAddresses");
  });
});

describe("Front Door", () => {
  test.each(["everything", "fronted"])("neither caches nor compresses what the gateway answers, %s", (name) => {
    const routes = Object.fromEntries(ofType(name, types.route).map((route) => [route.name, properties(route)]));
    expect(routes["gateway"]).toMatchObject({ patternsToMatch: ["/*"], forwardingProtocol: "HttpsOnly" });
    expect(routes["gateway"]?.["cacheConfiguration"]).toBeUndefined();
    expect(routes["console"]?.["patternsToMatch"]).toEqual(["/", "/index.html", "/console/*"]);
    expect(properties(oneOf(name, types.profile))).toMatchObject({
      originResponseTimeoutSeconds: 240,
      logScrubbing: { state: "Enabled" },
    });
  });

  test("reaches a private app by private link", () => {
    const origins = ofType("everything", "Microsoft.Cdn/profiles/originGroups/origins");
    const functions = origins.find(({ name }) => name === "functions");
    expect(at(functions?.body ?? null, "properties", "sharedPrivateLinkResource")).toMatchObject({ groupId: "sites" });
  });

  test("its firewall reads no body, limits what one address sends, and keeps no query in its log", () => {
    for (const name of ["everything", "fronted"]) {
      const firewall = properties(oneOf(name, types.firewall));
      expect(firewall["policySettings"]).toMatchObject({
        mode: "Prevention",
        requestBodyCheck: "Disabled",
        logScrubbing: { state: "Enabled", scrubbingRules: [{ matchVariable: "QueryStringArgNames" }, {}] },
      });
      const [rate, bodies] = list(at(firewall, "customRules", "rules"));
      expect(rate).toMatchObject({ ruleType: "RateLimitRule", rateLimitThreshold: 2000, action: "Block" });
      expect(bodies).toMatchObject({ action: "Log" });
      const sets = list(at(firewall, "managedRules", "managedRuleSets"));
      expect(sets).toHaveLength(name === "everything" ? 2 : 0);
    }
  });
});

test("API Management streams, and ends nothing before the gateway does", () => {
  const policies = ofType("everything", types.apiPolicy);
  expect(policies).toHaveLength(3);
  for (const policy of policies) {
    const xml = textOf(properties(policy)["value"]);
    expect(xml).toMatch(/<forward-request timeout="240"[^>]* buffer-response="false" \/>/);
    expect(xml).not.toMatch(/_PER_MINUTE/);
    expect(xml).toMatch(/<llm-token-limit [^>]*tokens-per-minute="100000"|<rate-limit-by-key [^>]*calls="100"/);
    expect(xml.match(/<(\w[\w-]*)[ >]/g)?.length).toBe(xml.match(/<\/|\/>/g)?.length ?? 0);
  }
  const apis = ofType("everything", "Microsoft.ApiManagement/service/apis").map(({ body }) =>
    at(body, "properties", "path"),
  );
  expect(apis).toEqual(["openai", "anthropic", "gemini"]);
  expect(ofType("everything", "Microsoft.ApiManagement/service/apis/operations")).toHaveLength(21);
});

test("App Service proves tokens only where an app registration is named, and lets everyone else on to the gateway", () => {
  expect(ofType("prod", "Microsoft.Web/sites/config")).toEqual([]);
  const settings = properties(oneOf("everything", "Microsoft.Web/sites/config"));
  expect(settings["globalValidation"]).toMatchObject({ unauthenticatedClientAction: "AllowAnonymous" });
  expect(at(settings, "login", "tokenStore", "enabled")).toBe(false);
  const entra = at(settings, "identityProviders", "azureActiveDirectory") ?? null;
  expect(JSON.stringify(entra)).not.toContain("clientSecret");
  expect(at(entra, "registration", "openIdIssuer")).toMatch(/^https:\/\/sts\.windows\.net\/[0-9a-f-]{36}\/v2\.0$/);
});

test("a restored account takes the place of the deployment's own", () => {
  const { resources, outputs } = deploy({ restoredCosmos: "cosmos-restored" });
  expect(resources.filter(({ type }) => type === types.cosmos).map(({ name }) => name)).toEqual(["cosmos-restored"]);
  expect(resources.find(({ type }) => type === types.cosmosRole)?.id).toContain("/databaseAccounts/cosmos-restored/");
  expect(outputs["COSMOS_ACCOUNT"]).toBe("cosmos-restored");
});
