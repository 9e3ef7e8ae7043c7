// What is installed with the gateway: few packages, each of one exact version, known by its content, running nothing when it is installed.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

type Package = {
  version?: string;
  resolved?: string;
  integrity?: string;
  link?: boolean;
  dev?: boolean;
  devOptional?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  hasInstallScript?: boolean;
};
type Manifest = { dependencies: Record<string, string>; devDependencies: Record<string, string> };

const read = (name: string): string => readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), "utf8");
const manifest = JSON.parse(read("package.json")) as Manifest & Record<string, unknown>;
const lock = JSON.parse(read("package-lock.json")) as { packages: Record<string, Package> };
const packages = Object.entries(lock.packages).filter(([name]) => name !== "");
const atRunTime = packages.filter(([, each]) => each.dev !== true && each.devOptional !== true);

/** What the gateway itself needs, and for what. Whoever adds one adds it here, with the reason. */
const direct: Record<string, string> = {
  "@anthropic-ai/sdk": "Anthropic's services beside chat, types of its wire",
  "@aws-sdk/client-dynamodb": "the DynamoDB store",
  "@aws-sdk/client-s3": "S3 blobs",
  "@aws-sdk/client-secrets-manager": "secrets on AWS",
  "@aws-sdk/client-sqs": "the queue on AWS",
  "@aws-sdk/credential-providers": "credentials for Bedrock",
  "@azure/cosmos": "the Cosmos DB store",
  "@azure/functions": "the frame of the Azure Functions",
  "@azure/identity": "Entra ID for Azure's models and services",
  "@azure/keyvault-secrets": "secrets on Azure",
  "@azure/storage-blob": "Azure blobs",
  "@azure/storage-queue": "the queue on Azure",
  "@google/generative-ai": "Google's services beside chat, types of its wire",
  "@middy/core": "the frame of the Lambda handlers",
  jose: "signatures of tokens",
  openai: "OpenAI's services beside chat, types of its wires",
  standardwebhooks: "signatures of alerts",
  tokenx: "estimates of tokens",
  undici: "connections to providers",
  yaml: "heddle.yaml",
  zod: "the grammar of the configuration",
};

describe("dependencies (F43)", () => {
  test("are these few, and what they bring is bounded", () => {
    expect(Object.keys(manifest.dependencies).toSorted()).toEqual(Object.keys(direct).toSorted());
    expect(Object.keys(direct).length).toBeLessThanOrEqual(21);
    expect(atRunTime.length).toBeLessThanOrEqual(130);
  });

  test("are of exact versions, also those that only tests and builds need", () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies };
    const loose = Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version));
    expect(loose).toEqual([]);
    for (const [name, version] of Object.entries(all))
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version);
    expect(read(".npmrc")).toMatch(/^save-exact=true$/m);
  });

  test("are known by their content, wherever they are loaded from", () => {
    const of = (list: typeof packages, wrong: (each: Package) => boolean): string[] =>
      list.filter(([, each]) => wrong(each)).map(([name]) => name);
    expect(of(packages, ({ resolved, link }) => resolved !== undefined || link === true)).toEqual([]);
    expect(of(atRunTime, ({ integrity }) => integrity?.startsWith("sha512-") !== true)).toEqual([]);
    // Those without are builds of tools for machines other than the one that wrote the lock file.
    const foreign = ({ dev, optional, os }: Package): boolean => dev === true && optional === true && os !== undefined;
    expect(of(packages, (each) => each.integrity === undefined && !foreign(each))).toEqual([]);
  });

  test("run nothing when they are installed, those of tests and builds but for a known few", () => {
    const scripts = (list: typeof packages): string[] =>
      list.filter(([, each]) => each.hasInstallScript === true).map(([name]) => name.replace("node_modules/", ""));
    expect(scripts(atRunTime)).toEqual([]);
    expect(scripts(packages)).toEqual(["esbuild", "node", "protobufjs", "tree-sitter-bicep"]);
  });
});
