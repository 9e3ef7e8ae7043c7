// Types, versions and property names are Azure's own. No package on npm has them: this runs where AZURE_BICEP_TYPES is the folder `generated`
// of a copy of github.com/Azure/bicep-types-az, and is skipped elsewhere. CI has Bicep's compiler, which knows the same types.
import process from "node:process";
import { describe, expect, test } from "vitest";
import { cases, deployed } from "./environments.ts";
import { typeProblems } from "./types.ts";

const generated = process.env["AZURE_BICEP_TYPES"];
if (generated === undefined)
  console.warn("AZURE_BICEP_TYPES is not set: property names are not checked against Azure's types.");

describe.skipIf(generated === undefined)("against Azure's published types", () => {
  const folder = generated ?? "";
  const account = deployed("defaults").resources.find(({ type }) => type === "Microsoft.Storage/storageAccounts");

  test("a mistake is seen", () => {
    const { type = "", version = "", body = {} } = account ?? {};
    const wrong = { ...body, properties: { allowBlobPublicAcess: false }, sku: {}, kind: "Storage3" };
    const told = typeProblems(folder, type, version, wrong).join("\n");
    for (const problem of ["kind is Storage3", "properties.allowBlobPublicAcess is unknown", "sku.name is missing"])
      expect(told).toContain(problem);
    expect(typeProblems(folder, type, "2001-01-01", body)).toEqual([expect.stringContaining("there is no")]);
  });

  test.each(cases)("every resource under the parameters of %s", (name) => {
    const problems = deployed(name).resources.flatMap(({ place, type, version, body }) =>
      typeProblems(folder, type, version, body).map((problem) => `${place}: ${problem}`),
    );
    expect(problems).toEqual([]);
  });
});
