// What template.yaml promises: who may do what, what is encrypted and kept, what is told when it fails, how a version gets its traffic.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { attribute } from "../../lib/stores/dynamodb/item.ts";
import { environments } from "./environments.ts";
import { readTemplate, resolveTemplate, root, type Dictionary, type Resolved, textOf, type Value } from "./template.ts";

const template = readTemplate();
const resolved = (name: keyof typeof environments): Resolved["resources"] =>
  resolveTemplate(template, environments[name]).resources;
const everything = resolved("everything");
const cases = Object.keys(environments).map((name) => [name, resolved(name)] as const);

const list = (value: Value | undefined): Value[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);
const dictionary = (value: Value | undefined): Dictionary => (value ?? {}) as Dictionary;
const ofType = (resources: Resolved["resources"], type: string): [string, Dictionary][] =>
  Object.entries(resources)
    .filter(([, { Type }]) => Type === type)
    .map(([name, { Properties }]) => [name, Properties]);
const functions = ofType(everything, "AWS::Serverless::Function");

type Statement = { effect: Value; actions: string[]; resources: string[]; principal?: Value; condition?: Value };
const statements = (document: Value | undefined): Statement[] =>
  list(dictionary(document)["Statement"]).map((value) => {
    const { Effect = "", Action, Resource, Principal, Condition } = dictionary(value);
    return {
      effect: Effect,
      actions: list(Action).map(textOf),
      resources: list(Resource).map(textOf),
      ...(Principal === undefined ? {} : { principal: Principal }),
      ...(Condition === undefined ? {} : { condition: Condition }),
    };
  });

/** Of a role: its own statements, and those of the policies of this template that it names. */
const allowedOf = (role: Dictionary): Statement[] => [
  ...list(role["Policies"]).flatMap((policy) => statements(dictionary(policy)["PolicyDocument"])),
  ...list(role["ManagedPolicyArns"]).flatMap((arn) => {
    const name = /^ref\((\w+)\)$/.exec(textOf(arn))?.[1] ?? "";
    expect(everything[name]?.Type, textOf(arn)).toBe("AWS::IAM::ManagedPolicy");
    return statements(everything[name]?.Properties["PolicyDocument"]);
  }),
];

/** Where AWS leaves no choice, and why. */
const wildcards: Record<string, string> = {
  "xray:PutTraceSegments *": "X-Ray has no resources",
  "xray:PutTelemetryRecords *": "X-Ray has no resources",
  "ec2:CreateNetworkInterface *": "Lambda's interfaces in a VPC have no names before they are made",
  "ec2:DescribeNetworkInterfaces *": "EC2's Describe actions have no resources",
  "ec2:DescribeSubnets *": "EC2's Describe actions have no resources",
  "ec2:DeleteNetworkInterface *": "Lambda's interfaces in a VPC have no names before they are made",
  "ec2:AssignPrivateIpAddresses *": "Lambda's interfaces in a VPC have no names before they are made",
  "ec2:UnassignPrivateIpAddresses *": "Lambda's interfaces in a VPC have no names before they are made",
  "s3:GetObject att(Blobs.Arn)/*": "the objects of one bucket",
  "s3:PutObject att(Blobs.Arn)/*": "the objects of one bucket",
  "s3:DeleteObject att(Blobs.Arn)/*": "the objects of one bucket",
};

describe("roles", () => {
  const roles = ofType(everything, "AWS::IAM::Role");

  test("every function has one of its own, which Lambda alone takes", () => {
    const names = functions.map(([, { Role = "" }]) => /^att\((\w+)\.Arn\)$/.exec(textOf(Role))?.[1] ?? "");
    expect(new Set(names).size).toBe(functions.length);
    expect(names.toSorted()).toEqual(roles.map(([name]) => name).toSorted());
    for (const [, role] of roles)
      expect(statements(role["AssumeRolePolicyDocument"])).toEqual([
        { effect: "Allow", actions: ["sts:AssumeRole"], resources: [], principal: { Service: "lambda.amazonaws.com" } },
      ]);
  });

  test("no wildcard in an action, none in a resource but where AWS leaves no choice", () => {
    const found = new Set<string>();
    for (const [, role] of roles)
      for (const { actions, resources } of allowedOf(role))
        for (const action of actions) {
          expect(action).not.toContain("*");
          expect(resources.length).toBeGreaterThan(0);
          for (const resource of resources) if (resource.includes("*")) found.add(`${action} ${resource}`);
        }
    expect([...found].toSorted()).toEqual(Object.keys(wildcards).toSorted());
  });

  test("each may do what its code does, and nothing else", () => {
    const actions = (name: string): string[] => {
      const own = list(everything[name]?.Properties["Policies"]).flatMap((policy) =>
        statements(dictionary(policy)["PolicyDocument"]),
      );
      return own.flatMap((statement) => statement.actions).toSorted();
    };
    const log = ["logs:CreateLogStream", "logs:PutLogEvents"];
    const secret = ["secretsmanager:GetSecretValue"];
    const blobs = ["s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"];
    const table = ["ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "Query", "UpdateItem"].map(
      (action) => `dynamodb:${action}`,
    );
    const data = [...table, ...log, ...blobs, ...secret];
    expect(actions("GatewayRole")).toEqual([...data, "sqs:SendMessage"].toSorted());
    expect(actions("SweeperRole")).toEqual([...data, "sqs:SendMessage"].toSorted());
    expect(actions("WorkerRole")).toEqual(
      [
        ...data,
        ...["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "ReceiveMessage", "SendMessage"].map(
          (action) => `sqs:${action}`,
        ),
      ].toSorted(),
    );
    expect(actions("SmokeRole")).toEqual(
      [...log, ...secret, "codedeploy:PutLifecycleEventHookExecutionStatus", "lambda:InvokeFunction"].toSorted(),
    );
  });

  test("a restored table takes the place of the stack's own, for the functions and their roles", () => {
    const restored = resolveTemplate(template, { RestoredTable: "heddle-restored" });
    const text = JSON.stringify(restored.resources["GatewayRole"]);
    expect(text).toContain("table/heddle-restored/index/index");
    expect(text).not.toContain("att(Table.Arn)");
    expect(restored.outputs["TableName"]).toBe("heddle-restored");
    expect(JSON.stringify(restored.resources["Worker"])).toContain('"HEDDLE_TABLE":"heddle-restored"');
  });

  test("models of Bedrock may be called where they are named, by what calls models", () => {
    const calling = roles.filter(([, role]) =>
      allowedOf(role).some(({ actions }) => actions.includes("bedrock:InvokeModelWithResponseStream")),
    );
    expect(calling.map(([name]) => name)).toEqual(["GatewayRole", "WorkerRole"]);
    expect(everything["BedrockPolicy"]?.Properties["PolicyDocument"]).toMatchObject({
      Statement: [{ Resource: ["arn:aws:bedrock:us-east-1::foundation-model/example.model-v1:0"] }],
    });
    expect(resolved("prod")["BedrockPolicy"]).toBeUndefined();
  });

  test("the smoke test may invoke the new version alone", () => {
    const invoking = allowedOf(everything["SmokeRole"]?.Properties ?? {}).filter(({ actions }) =>
      actions.includes("lambda:InvokeFunction"),
    );
    expect(invoking.map(({ resources }) => resources)).toEqual([["ref(Gateway.Version)"]]);
  });
});

describe("policies of resources", () => {
  test("let in AWS's own services with a source, and refuse plain HTTP", () => {
    const types = ["AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"];
    const policies = types.flatMap((type) => ofType(everything, type));
    expect(policies).toHaveLength(4);
    for (const [name, { PolicyDocument }] of policies) {
      for (const { effect, principal, condition } of statements(PolicyDocument)) {
        expect(condition, name).toBeDefined();
        if (effect === "Allow")
          expect(dictionary(principal)["Service"], name).toMatch(/^(?:cloudfront|cloudwatch)\.amazonaws\.com$/);
      }
      if (name !== "AlarmTopicPolicy") expect(JSON.stringify(PolicyDocument), name).toContain('"Deny"');
    }
  });

  test("every bucket and queue has one", () => {
    const text = JSON.stringify(
      ["BlobsPolicy", "ConsolePolicy", "QueuePolicy"].map((name) => everything[name]?.Properties),
    );
    for (const type of ["AWS::S3::Bucket", "AWS::SQS::Queue"])
      for (const [name] of ofType(everything, type)) expect(text).toContain(`ref(${name})`);
  });
});

describe.each(cases)("the front, %s", (_name, resources) => {
  const oac = resources["GatewayUrl"]?.Properties["AuthType"] === "AWS_IAM";
  const permissions = ofType(resources, "AWS::Lambda::Permission")
    .filter(([name]) => name !== "RestInvokes")
    .map(([, properties]) => properties);

  test("the URL streams, and is the alias's", () => {
    expect(resources["GatewayUrl"]?.Properties).toMatchObject({ InvokeMode: "RESPONSE_STREAM", Qualifier: "live" });
    expect(resources["GatewayUrl"]?.["DependsOn"]).toBe("GatewayAliaslive");
  });

  test("both actions are permitted, on the alias", () => {
    expect(permissions.map(({ Action }) => textOf(Action)).toSorted()).toEqual([
      "lambda:InvokeFunction",
      "lambda:InvokeFunctionUrl",
    ]);
    for (const permission of permissions) {
      expect(permission["FunctionName"]).toBe("ref(GatewayAliaslive)");
      expect(permission["Principal"]).toBe(oac ? "cloudfront.amazonaws.com" : "*");
      if (oac) expect(permission["SourceArn"]).toContain("distribution/ref(Distribution)");
      if (permission["Action"] === "lambda:InvokeFunction") expect(permission["InvokedViaFunctionUrl"]).toBe(true);
      else expect(permission["FunctionUrlAuthType"]).toBe(oac ? "AWS_IAM" : "NONE");
    }
  });

  test("what CloudFront shows is what the gateway asks for, and neither is written down", () => {
    const origin = list(dictionary(resources["Distribution"]?.Properties["DistributionConfig"])["Origins"]).map(
      dictionary,
    )[0];
    const asked = dictionary(dictionary(resources["Gateway"]?.Properties["Environment"])["Variables"])[
      "HEDDLE_ORIGIN_SECRET"
    ];
    const shown = list(origin?.["OriginCustomHeaders"]).map(dictionary);
    expect(shown.length === 1).toBe(asked !== undefined);
    expect(origin?.["OriginAccessControlId"] !== undefined).toBe(oac);
    if (asked === undefined) return;
    expect(shown[0]?.["HeaderName"]).toBe("x-heddle-origin");
    const values = textOf(asked).split(",");
    for (const value of values)
      expect(value).toMatch(
        /^\{\{resolve:secretsmanager:ref\(OriginSecret\):SecretString::AWS(?:CURRENT|PREVIOUS)\}\}$/,
      );
    expect(values[0]).toBe(shown[0]?.["HeaderValue"]);
  });
});

test("CloudFront neither caches, compresses nor logs what the gateway answers; the console is private", () => {
  const config = dictionary(everything["Distribution"]?.Properties["DistributionConfig"]);
  expect(config["DefaultCacheBehavior"]).toMatchObject({
    TargetOriginId: "gateway",
    Compress: false,
    CachePolicyId: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
    ViewerProtocolPolicy: "https-only",
  });
  expect(config["Logging"]).toBeUndefined();
  for (const behavior of list(config["CacheBehaviors"]).map(dictionary)) {
    expect(behavior["TargetOriginId"]).toBe("console");
    expect(behavior["ResponseHeadersPolicyId"]).toBe("ref(ConsoleHeaders)");
  }
  for (const [, properties] of ofType(everything, "AWS::S3::Bucket"))
    expect(properties["PublicAccessBlockConfiguration"]).toEqual({
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    });
});

test("the firewall only counts the rules about bodies, and limits what one address sends", () => {
  const rules = list(everything["WebAcl"]?.Properties["Rules"]).map((rule) =>
    dictionary(dictionary(rule)["Statement"]),
  );
  expect(rules.some((statement) => "RateBasedStatement" in statement)).toBe(true);
  const counted = rules.flatMap((statement) =>
    list(dictionary(statement["ManagedRuleGroupStatement"])["RuleActionOverrides"]).map(dictionary),
  );
  expect(counted.map(({ Name }) => Name)).toEqual(
    expect.arrayContaining(["SizeRestrictions_BODY", "CrossSiteScripting_BODY"]),
  );
  for (const { ActionToUse } of counted) expect(ActionToUse).toEqual({ Count: {} });
});

describe("encryption", () => {
  test.each(cases)("is everywhere, %s", (name, resources) => {
    const key = name === "everything" ? textOf(environments["everything"]?.["KmsKeyArn"]) : undefined;
    for (const [, table] of ofType(resources, "AWS::DynamoDB::Table"))
      expect(table["SSESpecification"]).toEqual({
        SSEEnabled: true,
        SSEType: "KMS",
        ...(key && { KMSMasterKeyId: key }),
      });
    for (const [bucket, properties] of ofType(resources, "AWS::S3::Bucket"))
      expect(JSON.stringify(properties["BucketEncryption"])).toContain(key && bucket === "Blobs" ? key : "AES256");
    for (const [, queue] of ofType(resources, "AWS::SQS::Queue"))
      expect(queue[key ? "KmsMasterKeyId" : "SqsManagedSseEnabled"]).toBe(key ?? true);
    for (const [, topic] of ofType(resources, "AWS::SNS::Topic"))
      expect(topic["KmsMasterKeyId"]).toBe(key ?? "ref(AlarmKey)");
    for (const type of ["AWS::SecretsManager::Secret", "AWS::Logs::LogGroup"])
      for (const [, properties] of ofType(resources, type)) expect(properties["KmsKeyId"]).toBe(key);
    for (const [, { EnableKeyRotation }] of ofType(resources, "AWS::KMS::Key")) expect(EnableKeyRotation).toBe(true);
  });

  test("secrets are made by AWS: the template has no value of one", () => {
    for (const [, properties] of ofType(everything, "AWS::SecretsManager::Secret")) {
      expect(properties["SecretString"]).toBeUndefined();
      expect(properties["GenerateSecretString"]).toBeDefined();
    }
    expect(readFileSync(`${root}template.yaml`, "utf8")).not.toMatch(/sk-[A-Za-z0-9]{8}|AKIA[A-Z0-9]{16}/);
  });
});

describe("state", () => {
  const table = everything["Table"]?.Properties ?? {};

  test("the table is the one that the store wants", () => {
    expect(table["KeySchema"]).toEqual([
      { AttributeName: attribute.pk, KeyType: "HASH" },
      { AttributeName: attribute.sk, KeyType: "RANGE" },
    ]);
    expect(table["GlobalSecondaryIndexes"]).toEqual([
      {
        IndexName: "index",
        KeySchema: [
          { AttributeName: attribute.ipk, KeyType: "HASH" },
          { AttributeName: attribute.isk, KeyType: "RANGE" },
        ],
        Projection: { ProjectionType: "ALL" },
      },
    ]);
    expect(table["TimeToLiveSpecification"]).toEqual({ AttributeName: attribute.expiresAt, Enabled: true });
    expect(table["BillingMode"]).toBe("PAY_PER_REQUEST");
  });

  test("it can be had back to any second, and production's can't be deleted by mistake", () => {
    expect(table["PointInTimeRecoverySpecification"]).toEqual({ PointInTimeRecoveryEnabled: true });
    expect(resolved("prod")["Table"]?.Properties["DeletionProtectionEnabled"]).toBe(true);
    expect(resolved("dev")["Table"]?.Properties["DeletionProtectionEnabled"]).toBe(false);
    for (const name of ["Table", "Blobs", "Secret"]) {
      expect(template.Resources[name]?.DeletionPolicy).toBe("RetainExceptOnCreate");
      expect(template.Resources[name]?.["UpdateReplacePolicy"]).toBe("Retain");
    }
  });

  test("the queue waits six times as long as its worker, and gives poison away", () => {
    const queue = everything["Queue"]?.Properties ?? {};
    expect(queue["VisibilityTimeout"]).toBeGreaterThanOrEqual(6 * Number(everything["Worker"]?.Properties["Timeout"]));
    expect(queue["RedrivePolicy"]).toEqual({ deadLetterTargetArn: "att(DeadLetters.Arn)", maxReceiveCount: 5 });
    expect(everything["DeadLetters"]?.Properties["MessageRetentionPeriod"]).toBe(1_209_600);
    const source = dictionary(dictionary(dictionary(everything["Worker"]?.Properties["Events"])["Jobs"])["Properties"]);
    expect(source).toMatchObject({
      FunctionResponseTypes: ["ReportBatchItemFailures"],
      ScalingConfig: { MaximumConcurrency: 10 },
    });
    expect(everything["Worker"]?.Properties["ReservedConcurrentExecutions"]).toBeUndefined();
  });
});

describe("functions", () => {
  test.each(functions)("%s is a prebuilt bundle on arm64, with logs that end", (name, properties) => {
    expect(properties).toMatchObject({ Runtime: "nodejs24.x", Architectures: ["arm64"], Handler: "index.handler" });
    expect(properties["CodeUri"]).toBe(`dist/aws/${name.toLowerCase()}`);
    expect(everything[name]?.["Metadata"]).toEqual({ SkipBuild: true });
    const group = /^ref\((\w+)\)$/.exec(textOf(dictionary(properties["LoggingConfig"])["LogGroup"]))?.[1] ?? "";
    expect(everything[group]?.Properties["RetentionInDays"]).toBe(30);
  });

  test("know where everything is", () => {
    for (const [, { Environment }] of functions)
      expect(dictionary(Environment)["Variables"]).toMatchObject({
        HEDDLE_ENV: "production",
        HEDDLE_AUTH: "keys",
        HEDDLE_TABLE: "ref(Table)",
        HEDDLE_QUEUE_URL: "ref(Queue)",
        HEDDLE_BUCKET: "ref(Blobs)",
        HEDDLE_SECRET: "ref(Secret)",
      });
  });

  test("a version of the gateway is tried, gets its traffic by and by, and loses it when an alarm goes off", () => {
    const gateway = resolved("prod")["Gateway"]?.Properties ?? {};
    expect(gateway).toMatchObject({ AutoPublishAlias: "live", AutoPublishAliasAllProperties: true });
    expect(gateway["DeploymentPreference"]).toEqual({
      Type: "Canary10Percent5Minutes",
      Alarms: ["ref(GatewayErrors)", "ref(GatewayServerErrors)", "ref(GatewayThrottles)"],
      Hooks: { PreTraffic: "ref(Smoke)" },
    });
    // CodeDeploy's role, as AWS manages it, invokes functions of this name alone.
    expect(everything["Smoke"]?.Properties["FunctionName"]).toMatch(/^CodeDeployHook_/);
    for (const alarm of ["GatewayErrors", "GatewayServerErrors", "GatewayThrottles"])
      expect(JSON.stringify(everything[alarm]?.Properties)).toContain("ref(Gateway):live");
  });
});

describe("alarms", () => {
  const alarms = ofType(everything, "AWS::CloudWatch::Alarm");
  // Each stack has metrics of its own.
  const metricOf = (of: Dictionary): string =>
    `${textOf(of["Namespace"]).replace(/^Heddle\/.+$/, "Heddle/STACK")} ${textOf(of["MetricName"])}`;
  const metrics = new Set(
    alarms.flatMap(([, alarm]) =>
      alarm["Metrics"] === undefined
        ? [metricOf(alarm)]
        : list(alarm["Metrics"]).map((each) =>
            metricOf(dictionary(dictionary(dictionary(each)["MetricStat"])["Metric"])),
          ),
    ),
  );

  test.each([
    ["failed invocations", "AWS/Lambda Errors"],
    ["throttles", "AWS/Lambda Throttles"],
    ["5xx", "AWS/Lambda Url5xxCount"],
    ["5xx of the REST API", "AWS/ApiGateway 5XXError"],
    ["p99 of the first token", "Heddle/STACK TimeToFirstToken"],
    ["p99 of the duration", "AWS/Lambda Duration"],
    ["dead letters", "AWS/SQS ApproximateNumberOfMessagesVisible"],
    ["the queue's age", "AWS/SQS ApproximateAgeOfOldestMessage"],
    ["spend", "Heddle/STACK Cost"],
    ["a budget", "Heddle/STACK BudgetAlerts"],
    ["a sweeper that does not run", "AWS/Lambda Invocations"],
    ["a hot partition", "AWS/DynamoDB WriteThrottleEvents"],
  ])("tell of %s", (_what, metric) => {
    expect([...metrics]).toContain(metric);
  });

  test("a stream is long by the timeout that the function has", () => {
    const long = (given: Record<string, string>): string =>
      JSON.stringify(resolveTemplate(template, given).resources["GatewayLong"]?.Properties["Metrics"]);
    expect(long({})).toContain("duration / (900 * 10)");
    expect(long({ GatewayTimeout: "120" })).toContain("duration / (120 * 10)");
  });

  test("each goes to the topic, says what is wrong, and says what silence means", () => {
    for (const [name, alarm] of alarms) {
      expect(alarm["AlarmActions"], name).toEqual(["ref(AlarmTopic)"]);
      expect(textOf(alarm["AlarmDescription"]).length, name).toBeGreaterThan(15);
      expect(alarm["TreatMissingData"], name).toBe(name === "SweeperSilent" ? "breaching" : "notBreaching");
    }
    for (const metric of ["Errors", "Throttles"])
      for (const name of ["Gateway", "Worker", "Sweeper"])
        expect(everything[`${name}${metric}`]?.Properties).toMatchObject({
          Namespace: "AWS/Lambda",
          MetricName: metric,
        });
  });

  test("the dashboard is JSON that shows requests, errors, tokens, cost, first token, cache and queue", () => {
    const body = JSON.parse(textOf(everything["Dashboard"]?.Properties["DashboardBody"])) as {
      widgets: { x: number; y: number; width: number; properties: { title: string; metrics: unknown[][] } }[];
    };
    const titles = body.widgets.map(({ properties }) => properties.title).join("; ");
    for (const word of ["Requests", "Errors", "first token", "Tokens", "Cost", "cache", "Queue"])
      expect(titles).toContain(word);
    for (const { x, width, properties } of body.widgets) {
      expect(x + width).toBeLessThanOrEqual(24);
      expect(properties.metrics.length).toBeGreaterThan(0);
    }
  });
});
