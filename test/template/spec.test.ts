// Every resource and property of template.yaml exists, has the right type, and leads somewhere: under each set of parameters.
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { environments, readSamConfig } from "./environments.ts";
import { eventProblems, specOf, specProblems } from "./spec.ts";
import { readTemplate, resolveTemplate, root, type Dictionary } from "./template.ts";

const template = readTemplate();

describe("the specification of CloudFormation and SAM", () => {
  test("sees what is wrong", () => {
    expect(specProblems("AWS::SQS::Queue", { VisibilityTimout: 1 }, "q")).toEqual([
      "q.VisibilityTimout is no property",
    ]);
    expect(specProblems("AWS::SQS::Queue", { VisibilityTimeout: "soon" }, "q")).toHaveLength(1);
    expect(specProblems("AWS::Lambda::Url", { AuthType: "NONE" }, "u")).toEqual(["u.TargetFunctionArn is required"]);
    expect(specProblems("AWS::No::Such", {}, "n")).toHaveLength(1);
  });

  describe.each(Object.entries(environments))("%s", (_name, parameters) => {
    const { resources, outputs, problems, refused } = resolveTemplate(template, parameters);

    test("every name leads somewhere, and no rule refuses", () => {
      expect(problems).toEqual([]);
      expect(refused).toEqual([]);
      expect(Object.keys(resources).length).toBeGreaterThan(40);
      for (const name of ["Url", "FunctionUrl", "TableName", "QueueUrl", "SecretArn"])
        expect(outputs[name]).toBeTruthy();
    });

    test("every property is one, of its type, and none is missing", () => {
      const wrong = Object.entries(resources).flatMap(([name, { Type, Properties }]) => [
        ...specProblems(Type, Properties, name),
        ...Object.entries((Properties["Events"] ?? {}) as Record<string, Dictionary>).flatMap(([event, value]) =>
          eventProblems(value, `${name}.${event}`),
        ),
      ]);
      expect(wrong).toEqual([]);
    });

    test("every attribute that is asked for is one", () => {
      const text = JSON.stringify([resources, outputs]);
      const asked = [...text.matchAll(/att\((\w+)\.([\w.]+)\)/g)];
      expect(asked.length).toBeGreaterThan(20);
      const wrong = asked.flatMap(([whole, name = "", attribute = ""]) => {
        const type = resources[name]?.Type ?? "";
        // SAM's functions have the attributes of Lambda's.
        const spec = specOf(type === "AWS::Serverless::Function" ? "AWS::Lambda::Function" : type);
        return spec?.attributes[attribute] === undefined ? [whole] : [];
      });
      expect(wrong).toEqual([]);
    });
  });
});

describe("parameters", () => {
  test("each is used, and its default is one of the allowed", () => {
    const text = JSON.stringify([template.Resources, template.Conditions, template.Globals]);
    for (const [name, { Default, AllowedValues }] of Object.entries(template.Parameters)) {
      expect(text.includes(`"Ref":"${name}"`) || text.includes(`\${${name}}`), name).toBe(true);
      if (AllowedValues !== undefined) expect(AllowedValues, name).toContain(Default);
    }
  });

  test("what can't work is refused before anything is made", () => {
    const refused = (given: Record<string, string>, region?: string): string[] =>
      resolveTemplate(template, given, region).refused;
    expect(refused({ Environment: "prod" })).toEqual([expect.stringContaining("SmokeModel")]);
    expect(refused({ DomainName: "ai.example.com" })).toEqual([expect.stringContaining("CertificateArn")]);
    expect(refused({ Tracing: "otlp" })).toEqual([expect.stringContaining("OtlpEndpoint")]);
    expect(refused({ Firewall: "on" }, "eu-north-1")).toEqual([expect.stringContaining("us-east-1")]);
    expect(refused({}, "eu-north-1")).toEqual([]);
  });

  test("samconfig.toml has the three environments, and makes no names or roles but by template", () => {
    const tables = readSamConfig();
    for (const environment of ["dev", "staging", "prod"]) {
      const deploy = tables[`${environment}.deploy.parameters`] ?? {};
      expect(deploy["stack_name"]).toBe(`heddle-${environment}`);
      expect(deploy["capabilities"]).toBe('["CAPABILITY_IAM"]');
      expect(deploy["parameter_overrides"]).toContain(`Environment=${environment} `);
    }
    expect(tables["prod.deploy.parameters"]?.["confirm_changeset"]).toBe("true");
    expect(tables["prod.deploy.parameters"]?.["parameter_overrides"]).toContain(
      "DeploymentType=Canary10Percent5Minutes",
    );
  });
});

describe("cfn-lint", () => {
  const version = spawnSync("cfn-lint", ["--version"], { encoding: "utf8" });
  const isThere = version.status === 0;
  if (!isThere)
    process.stderr.write("cfn-lint is not on the PATH: template.yaml is checked against the specification alone\n");

  test.skipIf(!isThere)("finds nothing, with SAM's own transform", { timeout: 120_000 }, () => {
    const run = spawnSync("cfn-lint", ["template.yaml"], { cwd: root, encoding: "utf8", timeout: 110_000 });
    expect(run.stdout + run.stderr).toBe("");
    expect(run.status).toBe(0);
  });
});
