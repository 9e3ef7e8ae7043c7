// Every file of infra/azure is Bicep, and holds together: names, parameters of modules, values.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cases, deployed } from "./environments.ts";
import { parseBicep, parseParameters } from "./syntax.ts";
import { deploy, infra, main, readBicep } from "./walk.ts";

const files = (readdirSync(infra, { recursive: true }) as string[]).filter((name) => name.endsWith(".bicep"));

test.each(files)("%s is Bicep", (name) => {
  expect(() => readBicep(join(infra, name))).not.toThrow();
});

test("what is not Bicep is told, with its line", () => {
  expect(() => parseBicep("wrong.bicep", "param name string\nresource x 'a/b@1' = {\n")).toThrow(
    /wrong\.bicep, line 2/,
  );
});

test("every file is a module of another, but for the first", () => {
  const used = files.flatMap((name) => readBicep(join(infra, name)).modules.map(({ path }) => join(name, "..", path)));
  expect(new Set([...used, "main.bicep"])).toEqual(new Set(files));
});

// A property needs a line of its own, or a comma: the parser here doesn't mind, Bicep does.
test.each(files)("%s has one property a line", (name) => {
  const lines = readFileSync(join(infra, name), "utf8").split("\n");
  for (const [at, line] of lines.entries()) {
    const code = line.replaceAll(/'(?:[^'\\]|\\.)*'/g, "''").replace(/\/\/.*/, "");
    expect(/^\s*[\w']+: [\w.']+ [\w']+:/.test(code), `line ${at + 1}: ${line}`).toBe(false);
  }
});

describe.each(cases)("under the parameters of %s", (name) => {
  test("every name leads somewhere, and every parameter is given, known and allowed", () => {
    expect(deployed(name).problems).toEqual([]);
  });

  test("no resource is declared twice", () => {
    const ids = deployed(name).resources.map(({ id }) => id.toLowerCase());
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  });
});

test.each([
  [{ privateNetwork: true, frontDoor: "Standard" }, "privateNetwork needs frontDoor Premium"],
  [{ privateNetwork: true, apiManagement: "BasicV2" }, "privateNetwork needs apiManagement StandardV2"],
  [{ firewall: true }, "firewall and domainName need frontDoor"],
  [{ domainName: "ai.example.com" }, "firewall and domainName need frontDoor"],
])("what could not work is refused: %j", (given, reason) => {
  const { problems } = deploy(given);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(reason);
});

test.each([
  [{ instanceMemory: 1024 }, "instanceMemory can't be 1024"],
  [{ answerSeconds: 600 }, "answerSeconds is too large"],
  [{ name: "a-name-that-is-longer-than-18" }, "name is too large"],
  [{ frontDoors: "Premium" }, "frontDoors is no parameter"],
  [{ console: "yes" }, "console is no bool"],
])("and so is what is not allowed: %j", (given, reason) => {
  expect(deploy(given).problems.join("; ")).toContain(reason);
});

test("names are no longer than Azure lets them be, and of its letters, with the longest name there is", () => {
  const { resources, problems } = deploy({
    name: "Heddle-production1",
    frontDoor: "Premium",
    firewall: true,
    apiManagement: "StandardV2",
    privateNetwork: true,
  });
  expect(problems).toEqual([]);
  const forms: Record<string, RegExp> = {
    "Microsoft.Storage/storageAccounts": /^[a-z0-9]{3,24}$/,
    "Microsoft.KeyVault/vaults": /^[a-zA-Z](?:-?[a-zA-Z0-9]){2,23}$/,
    "Microsoft.DocumentDB/databaseAccounts": /^[a-z0-9-]{3,44}$/,
    // The host takes 32 letters of it for its own id.
    "Microsoft.Web/sites": /^[a-zA-Z0-9-]{2,32}$/,
    "Microsoft.ApiManagement/service": /^[a-zA-Z](?:[a-zA-Z0-9-]{0,48}[a-zA-Z0-9])?$/,
    "Microsoft.Cdn/profiles/afdEndpoints": /^[a-zA-Z0-9-]{1,46}$/,
    "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies": /^[a-zA-Z][a-zA-Z0-9]{0,127}$/,
    "Microsoft.OperationalInsights/workspaces": /^[a-zA-Z0-9-]{4,63}$/,
  };
  for (const [type, form] of Object.entries(forms))
    for (const { name } of resources.filter((resource) => resource.type === type)) expect(name, type).toMatch(form);
});

test("main.bicepparam sets parameters of main.bicep", () => {
  const { using, parameters } = parseParameters(join(infra, "main.bicepparam"));
  const known = readBicep(main).parameters.map(({ name }) => name);
  expect(using).toBe("main.bicep");
  for (const { name } of parameters) expect(known).toContain(name);
});
