// CodeDeploy's pre-traffic hook: the new version answers a real turn, streamed, or it gets no traffic and the deployment is rolled back.
import type { Transport } from "../../../lib/http/transport.ts";
import { isObject, parseJson } from "../../../lib/model/json.ts";
import { invoke, type HttpAnswer } from "./invoke.ts";
import { createAws, type Aws, type Environment } from "./signed.ts";

type HookEvent = { DeploymentId: string; LifecycleEventHookExecutionId: string };

export type SmokeOptions = {
  /**
   * HEDDLE_SMOKE_FUNCTION: the new version's ARN. HEDDLE_SMOKE_MODEL: whom to ask; empty asks nobody. HEDDLE_SECRET: where a key is, as
   * `smoke-key` or `admin-key`. HEDDLE_ORIGIN_SECRET: what CloudFront shows.
   */
  env: Environment;
  transport: Transport;
  now: () => number;
  sleep: (milliseconds: number) => Promise<unknown>;
  /** Takes a log line without its end. */
  write: (line: string) => void;
};

export type Hook = (event: HookEvent) => Promise<{ status: "Succeeded" | "Failed" }>;

/** A provider may be busy, and a new right takes some seconds to be known: only what fails again and again is the version's fault. */
const tries = 5;
const pauseMs = 2_000;
/** All of it, within the function's own 120 s, so that CodeDeploy is told and need not wait an hour. */
const totalMs = 80_000;

const repeatedly = async <T>(options: SmokeOptions, attempt: () => Promise<T>): Promise<T> => {
  for (let tried = 1; ; tried += 1)
    try {
      return await attempt();
    } catch (thrown) {
      if (tried >= tries) throw thrown;
      await options.sleep(pauseMs * tried);
    }
};

/** A key that the gateway takes; undefined where the secret has none. */
const keyOf = async (aws: Aws, env: Environment): Promise<string | undefined> => {
  const SecretId = env["HEDDLE_SECRET"];
  if (SecretId === undefined || SecretId === "") return undefined;
  const answer = await aws.json("secretsmanager", "secretsmanager.GetSecretValue", { SecretId });
  const text = isObject(answer) ? answer["SecretString"] : undefined;
  const members = typeof text === "string" ? parseJson(text) : undefined;
  if (!isObject(members)) throw new Error("The secret is not a JSON object.");
  const key = [members["smoke-key"], members["admin-key"]].find((each) => typeof each === "string" && each !== "");
  return typeof key === "string" ? key : undefined;
};

const turnBody = (model: string): string =>
  JSON.stringify({ model, stream: true, messages: [{ role: "user", content: "Answer with one word: ready" }] });

/** What is wrong with a streamed turn; undefined where it is whole. Never what was said. */
export const turnProblem = ({ status, headers, body }: HttpAnswer): string | undefined => {
  if (status !== 200) {
    const error = parseJson(body);
    const inner = isObject(error) && isObject(error["error"]) ? error["error"] : {};
    return `a turn was answered with ${status} ${typeof inner["code"] === "string" ? inner["code"] : ""}`.trim();
  }
  if (!String(headers["content-type"]).startsWith("text/event-stream")) return "a turn was not answered with a stream";
  const events = body
    .split(/\r?\n\r?\n/)
    .flatMap((event) => (event.startsWith("data:") ? [event.slice(5).trim()] : []));
  if (events.at(-1) !== "[DONE]") return "a turn's stream did not come to its end";
  const parsed = events.slice(0, -1).map((event) => parseJson(event));
  if (parsed.some((event) => !isObject(event) || "error" in event)) return "a turn's stream holds an error";
  return parsed.length > 0 ? undefined : "a turn's stream is empty";
};

/** The name of what was tried last; throws with what is wrong. */
const tryVersion = async (aws: Aws, options: SmokeOptions): Promise<string> => {
  const { env, now } = options;
  const version = env["HEDDLE_SMOKE_FUNCTION"];
  if (version === undefined || version === "") throw new Error("HEDDLE_SMOKE_FUNCTION is not set.");
  const origin = env["HEDDLE_ORIGIN_SECRET"];
  const headers = origin === undefined || origin === "" ? {} : { "x-heddle-origin": origin };

  await repeatedly(options, async () => {
    const { status } = await invoke(aws, version, { method: "GET", path: "/health/ready", headers }, now());
    if (status !== 200) throw new Error(`/health/ready was answered with ${status}`);
  });

  const model = env["HEDDLE_SMOKE_MODEL"];
  if (model === undefined || model === "") return "health";
  const key = await repeatedly(options, () => keyOf(aws, env));
  if (key === undefined) {
    // A new stack has no key yet, and nobody to serve; production has.
    if (env["HEDDLE_ENV"] === "production") throw new Error("the secret has neither smoke-key nor admin-key");
    return "health";
  }
  await repeatedly(options, async () => {
    const answer = await invoke(
      aws,
      version,
      {
        method: "POST",
        path: "/v1/chat/completions",
        headers: { ...headers, "content-type": "application/json", authorization: `Bearer ${key}` },
        body: turnBody(model),
      },
      now(),
    );
    const problem = turnProblem(answer);
    if (problem !== undefined) throw new Error(problem);
  });
  return "turn";
};

/** Throws only where CodeDeploy can't be told. */
export const createHook =
  (options: SmokeOptions): Hook =>
  async ({ DeploymentId: deploymentId, LifecycleEventHookExecutionId: lifecycleEventHookExecutionId }) => {
    const started = options.now();
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), totalMs);
    let status: "Succeeded" | "Failed" = "Failed";
    const line: Record<string, unknown> = { message: "smoke", deploymentId };
    try {
      const aws = createAws(options.transport, options.env, options.now, late.signal);
      line["tried"] = await tryVersion(aws, options);
      status = "Succeeded";
    } catch (thrown) {
      line["reason"] = thrown instanceof Error ? thrown.message : "unknown";
    } finally {
      clearTimeout(timer);
    }
    options.write(
      JSON.stringify({ level: status === "Failed" ? "error" : "info", ...line, status, ms: options.now() - started }),
    );
    const telling = createAws(options.transport, options.env, options.now, AbortSignal.timeout(20_000));
    await repeatedly(options, () =>
      telling.json("codedeploy", "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus", {
        deploymentId,
        lifecycleEventHookExecutionId,
        status,
      }),
    );
    return { status };
  };
