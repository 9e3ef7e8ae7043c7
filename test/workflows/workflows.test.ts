// The workflows parse, keep no key of a cloud, take no more rights than they need, and leave a fork without a cloud its tests.
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const folder = new URL("../../.github/", import.meta.url).pathname;
const names = ["ci", "deploy-azure", "deploy", "rollback"] as const;

type Step = { uses?: string; run?: string; with?: Record<string, unknown>; env?: Record<string, string> };
type Job = {
  if?: string;
  needs?: string;
  environment?: string;
  permissions?: Record<string, string>;
  "timeout-minutes"?: number;
  steps: Step[];
};
type Workflow = { permissions: Record<string, string>; jobs: Record<string, Job> };

const text = (path: string): string => readFileSync(`${folder}${path}`, "utf8");
const workflow = (name: string): Workflow => parse(text(`workflows/${name}.yml`)) as Workflow;
type Action = { runs: { steps: Step[] } };
const action = parse(text("actions/deploy/action.yml")) as Action;
const azure = parse(text("actions/deploy-azure/action.yml")) as Action;
const jobs = names.flatMap((name) =>
  Object.entries(workflow(name).jobs).map(([job, value]) => [`${name}: ${job}`, value] as const),
);
const steps = [...jobs.flatMap(([, job]) => job.steps), ...action.runs.steps, ...azure.runs.steps];

test("there are four", () => {
  expect(readdirSync(`${folder}workflows`).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
    names.map((name) => `${name}.yml`),
  );
});

test("no key of a cloud is kept anywhere: roles and identities are taken by OIDC", () => {
  const actions = ["deploy", "deploy-azure"].map((name) => `actions/${name}/action.yml`);
  for (const path of [...names.map((name) => `workflows/${name}.yml`), ...actions])
    expect(text(path), path).not.toMatch(
      /secrets\.|aws-access-key-id|aws-secret-access-key|AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|AKIA|client-secret|creds:|publish-profile/i,
    );
  for (const { uses, with: given } of steps)
    if (uses?.startsWith("azure/login@") === true)
      expect(Object.keys(given ?? {})).toEqual(["client-id", "tenant-id", "subscription-id"]);
  for (const { uses, with: given } of steps)
    if (uses?.startsWith("aws-actions/configure-aws-credentials") === true)
      expect(given).toHaveProperty("role-to-assume");
});

test("actions are GitHub's, AWS's, Azure's or our own, at a commit or a major version", () => {
  for (const { uses } of steps)
    if (uses !== undefined)
      expect(uses).toMatch(
        /^(?:\.\/\.github\/actions\/deploy(?:-azure)?|(?:actions|aws-actions|azure)\/[\w-]+@(?:v\d+|[0-9a-f]{40}))$/,
      );
});

test("what comes from outside reaches a shell as a variable, never as code", () => {
  for (const { run } of steps) expect(run ?? "").not.toContain("${{");
});

test("the shell can read every script", () => {
  for (const { run } of steps) {
    if (run === undefined) continue;
    const { stderr, status } = spawnSync("bash", ["-n"], { input: run, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
  }
});

describe.each(jobs)("%s", (name, job) => {
  test("reads by default, ends by itself, and leaves no token behind", () => {
    expect(workflow(name.split(":")[0] ?? "").permissions).toEqual({ contents: "read" });
    expect(job["timeout-minutes"]).toBeGreaterThan(0);
    for (const { uses, with: given } of job.steps)
      if (uses?.startsWith("actions/checkout@") === true) expect(given?.["persist-credentials"]).toBe(false);
  });

  test("may ask for an OIDC token only in an environment", () => {
    expect(job.permissions?.["id-token"] === "write").toBe(job.environment !== undefined);
  });
});

describe("a fork without a cloud", () => {
  test("runs every check, and nothing that needs an account", () => {
    const { check, template, vulnerabilities, dependencies } = workflow("ci").jobs;
    expect(check?.steps.some(({ run }) => run === ".ci/run")).toBe(true);
    expect(check?.if).toBeUndefined();
    expect(template?.if).toBeUndefined();
    expect(vulnerabilities?.steps.some(({ run }) => run?.startsWith("npm audit --omit=dev") === true)).toBe(true);
    expect(dependencies?.steps.some(({ uses }) => uses?.startsWith("actions/dependency-review-action@") === true)).toBe(
      true,
    );
    expect(workflow("deploy").jobs["build"]?.if).toBe("vars.AWS_REGION != ''");
    expect(workflow("deploy-azure").jobs["build"]?.if).toBe("vars.AZURE_SUBSCRIPTION_ID != ''");
    expect(workflow("ci").jobs["bicep"]?.if).toBeUndefined();
    expect(workflow("rollback").jobs["rollback"]?.if).toBe("vars.AWS_REGION != ''");
  });
});

describe("deployment", () => {
  const { build, dev, staging, prod } = workflow("deploy").jobs;

  test("goes through dev and staging to production, each with its own approval and role", () => {
    expect([dev?.needs, staging?.needs, prod?.needs]).toEqual(["build", "dev", "staging"]);
    expect([dev?.environment, staging?.environment, prod?.environment]).toEqual(["dev", "staging", "prod"]);
    for (const job of [dev, staging, prod])
      expect(job?.steps.at(-1)).toMatchObject({
        uses: "./.github/actions/deploy",
        with: { environment: job?.environment, role: "${{ vars.AWS_ROLE_ARN }}" },
      });
  });

  test("ships the bundles that were tested", () => {
    const uploaded = build?.steps.find(({ uses }) => uses?.startsWith("actions/upload-artifact@") === true);
    const downloaded = action.runs.steps.find(({ uses }) => uses?.startsWith("actions/download-artifact@") === true);
    expect(uploaded?.with).toMatchObject({ path: "dist/aws", name: "lambda", "if-no-files-found": "error" });
    expect(downloaded?.with).toEqual({ path: "dist/aws", name: "lambda" });
    expect(steps.filter(({ run }) => run?.includes("sam build") === true)).toEqual([]);
  });
});

describe("deployment on Azure", () => {
  const { build, dev, staging, prod } = workflow("deploy-azure").jobs;

  test("goes through dev and staging to production, each with its own approval and identity", () => {
    expect([dev?.needs, staging?.needs, prod?.needs]).toEqual(["build", "dev", "staging"]);
    expect([dev?.environment, staging?.environment, prod?.environment]).toEqual(["dev", "staging", "prod"]);
    for (const job of [dev, staging, prod])
      expect(job?.steps.at(-1)).toMatchObject({
        uses: "./.github/actions/deploy-azure",
        with: { environment: job?.environment, "client-id": "${{ vars.AZURE_CLIENT_ID }}" },
      });
  });

  test("ships the package that was tested, or an earlier run's", () => {
    const uploaded = build?.steps.find(({ uses }) => uses?.startsWith("actions/upload-artifact@") === true);
    expect(uploaded?.with).toMatchObject({ path: "functions.zip", name: "functions", "if-no-files-found": "error" });
    const downloaded = azure.runs.steps.filter(({ uses }) => uses?.startsWith("actions/download-artifact@") === true);
    expect(downloaded.map(({ with: given }) => given?.["name"])).toEqual(["functions", "functions"]);
    expect(downloaded[1]?.with?.["run-id"]).toBe("${{ inputs.run }}");
    const zipped = build?.steps.find(({ run }) => run?.includes("functions.zip") === true)?.run;
    expect(zipped).toContain("package.json host.json dist/azure");
    expect(zipped?.indexOf("npm run build:azure")).toBe(0);
  });

  test("makes resources, then the pepper, then ships the code, then tries it; nothing is built in Azure", () => {
    const runs = azure.runs.steps.flatMap(({ run }) => (run === undefined ? [] : [run]));
    const words = ["infra/azure/main.bicepparam", "infra/azure/pepper.sh", "--build-remote false", "/health/ready"];
    expect(runs).toHaveLength(words.length);
    for (const [index, word] of words.entries()) expect(runs[index]).toContain(word);
    expect(runs.at(-1)).toContain("::add-mask::");
  });
});
