// Signed calls to AWS, over the gateway's own transport: three operations are no reason to load three SDKs.
import { readAll, type Transport, type TransportResponse } from "../../../lib/http/transport.ts";
import type { Headers } from "../../../lib/model/call.ts";
import { signV4 } from "../../../lib/providers/aws-sigv4.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

type AwsCall = {
  service: "lambda" | "codedeploy" | "secretsmanager";
  path: string;
  headers: Headers;
  body: string;
};

export type Aws = {
  /** The answer as it comes, whatever its status. */
  send: (call: AwsCall) => Promise<TransportResponse>;
  /** An operation of a JSON protocol, `CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus`. Throws where it is refused. */
  json: (service: AwsCall["service"], target: string, input: object) => Promise<unknown>;
};

/** Names as the AWS SDKs have them, for emulators. */
const endpointVariables: Record<AwsCall["service"], string> = {
  lambda: "AWS_ENDPOINT_URL_LAMBDA",
  codedeploy: "AWS_ENDPOINT_URL_CODEDEPLOY",
  secretsmanager: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
};

const required = (env: Environment, name: string): string => {
  const value = env[name];
  if (value === undefined || value === "") throw new Error(`${name} is not set.`);
  return value;
};

/** An answer of AWS's that is no stream is short. */
const answerLimit = 1024 * 1024;

/** `env` is a Lambda function's: its region and its role's credentials. */
export const createAws = (transport: Transport, env: Environment, now: () => number, signal: AbortSignal): Aws => {
  const send = (call: AwsCall): Promise<TransportResponse> => {
    const region = required(env, "AWS_REGION");
    const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
    const base = env[endpointVariables[call.service]] ?? `https://${call.service}.${region}.${suffix}`;
    const url = `${base.replace(/\/$/, "")}${call.path}`;
    const token = env["AWS_SESSION_TOKEN"];
    const signature = signV4(
      { method: "POST", url, headers: call.headers, body: call.body },
      {
        accessKeyId: required(env, "AWS_ACCESS_KEY_ID"),
        secretAccessKey: required(env, "AWS_SECRET_ACCESS_KEY"),
        ...(token === undefined ? {} : { sessionToken: token }),
      },
      { region, service: call.service, now: now() },
    );
    return transport.send({ method: "POST", url, headers: { ...call.headers, ...signature }, body: call.body }, signal);
  };
  return {
    send,
    json: async (service, target, input) => {
      const headers = { "content-type": "application/x-amz-json-1.1", "x-amz-target": target };
      const { status, body } = await send({ service, path: "/", headers, body: JSON.stringify(input) });
      const text = Buffer.from(await readAll(body, answerLimit)).toString("utf8");
      // What AWS says may name what was asked for: the status says enough.
      if (status !== 200) throw new Error(`${target} was answered with ${status}.`);
      return text === "" ? {} : JSON.parse(text);
    },
  };
};
