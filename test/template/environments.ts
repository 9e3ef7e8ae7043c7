// The sets of parameters that template.yaml is checked under: the three environments of samconfig.toml, and every option the other way.
import { readFileSync } from "node:fs";
import { root } from "./template.ts";

type Parameters = Record<string, string>;

/** The few lines of TOML that samconfig.toml is: tables, and text, truths and lists on one line. */
export const readSamConfig = (): Record<string, Record<string, string>> => {
  const tables: Record<string, Record<string, string>> = {};
  let table: Record<string, string> = {};
  for (const line of readFileSync(`${root}samconfig.toml`, "utf8").split("\n")) {
    const header = /^\[([\w.]+)\]$/.exec(line)?.[1];
    const [, name, value] = /^(\w+) = (.+)$/.exec(line) ?? [];
    if (header !== undefined) table = tables[header] = {};
    else if (name !== undefined && value !== undefined) table[name] = value.replace(/^"(.*)"$/, "$1");
    else if (line !== "" && !line.startsWith("#")) throw new Error(`samconfig.toml: ${line}`);
  }
  return tables;
};

const ofSamConfig = (environment: string): Parameters =>
  Object.fromEntries(
    (readSamConfig()[`${environment}.deploy.parameters`]?.["parameter_overrides"] ?? "")
      .split(" ")
      .map((each) => each.split(/=(.*)/s).slice(0, 2) as [string, string]),
  );

const arn = (service: string, rest: string): string => `arn:aws:${service}:us-east-1:123456789012:${rest}`;

const everything: Parameters = {
  Environment: "prod",
  ModelsFile: "heddle.yaml",
  KmsKeyArn: arn("kms", "key/00000000-0000-4000-8000-000000000000"),
  Tracing: "xray",
  GatewayConcurrency: "100",
  ProvisionedConcurrency: "2",
  OriginRotation: "2026-11-21",
  DomainName: "ai.example.com",
  CertificateArn: arn("acm", "certificate/00000000-0000-4000-8000-000000000000"),
  HostedZoneId: "Z00000000EXAMPLE",
  Firewall: "on",
  RestApi: "on",
  SmokeModel: "openai/example",
  AlarmEmail: "alarms@example.com",
  BedrockModels: "arn:aws:bedrock:us-east-1::foundation-model/example.model-v1:0",
  VpcSubnets: "subnet-00000000000000001,subnet-00000000000000002",
  VpcSecurityGroups: "sg-00000000000000001",
  SecretsLayerArn: arn("lambda", "layer:secrets-extension:1"),
  TelemetryLayerArn: arn("lambda", "layer:telemetry:1"),
};

export const environments: Record<string, Parameters> = {
  defaults: {},
  dev: ofSamConfig("dev"),
  staging: ofSamConfig("staging"),
  prod: ofSamConfig("prod"),
  everything,
  oac: { ...ofSamConfig("prod"), OriginAuth: "oac" },
  "no origin check, OTLP": { OriginAuth: "none", Tracing: "otlp", OtlpEndpoint: "https://otlp.example.com" },
};
