// The JSON Schema of heddle.yaml, as editors take it.
import * as z from "zod/mini";
import type { JsonObject } from "../model/json.ts";
import { configSchema } from "./schema.ts";

/** What editors show beside a setting, by its path; `*` stands for any name. */
const descriptions: Readonly<Record<string, string>> = {
  environment: "Default development. In production the echo provider is off unless it is written.",
  providers: "Who answers, by the name that stands before the / of a model. ${NAME} is taken from the environment.",
  "providers.*.kind": "Default: the provider's own name where it is a kind, else openai-compatible.",
  "providers.*.apiKey": "Write ${NAME}, never the key itself.",
  "providers.*.baseUrl": "The address of the host; for Azure the endpoint of the resource.",
  "providers.*.headers": "Sent with every call.",
  "providers.*.models": "Models to list beside what the provider itself lists; bare names of them come here.",
  "providers.*.dialect": "How the host departs from its protocol, where that is not known already.",
  "providers.*.betas": 'Values of anthropic-beta that may pass; ["*"] passes all.',
  "providers.*.wires": "The protocols that the host speaks, the most wanted first.",
  "providers.*.apiVersion": "azure-openai: absent uses the v1 path.",
  "providers.*.tokenCredential": "azure-openai: ask Entra for a token instead of a key.",
  "providers.*.pace": "echo: milliseconds between words. Default 20.",
  models: "Aliases: a name to provider/model or another alias.",
  "models.*.targets": "Tried in order until one answers.",
  prices: "Dollars per million tokens, by provider/model or model; comes before the built-in table.",
  "prices.*.perCall": "Dollars on top of every call.",
  "retry.attempts": "Tries per target, the first one included. Default 2.",
  "retry.baseDelayMs": "The first pause; it doubles, with jitter. Default 300.",
  "retry.maxDelayMs": "Default 8000.",
  "retry.totalMs": "For all tries of all targets until the first event. Default 60000.",
  "timeouts.connectMs": "Default 10000.",
  "timeouts.headersMs": "Until a provider's response headers. Default 600000.",
  "timeouts.idleMs": "Silence between two reads from a provider. Default 120000.",
  "server.host": "Default 127.0.0.1. Anything but loopback needs auth.keys.",
  "server.port": "Default 8787.",
  "server.maxBodyBytes": "Default 33554432 (32 MB).",
  "server.headersTimeoutMs": "Default 30000.",
  "server.bodyTimeoutMs": "Default 60000.",
  "server.heartbeatMs": "Silence after which a stream gets a heartbeat. Default 12000.",
  "server.drainMs": "How long running answers may end when the server stops. Default 30000.",
  "auth.mode":
    "Default keys where there are any, else open, which listens on loopback only. keys: those of auth.keys, and those made while it runs.",
  "auth.keys": "Who may call. The name stands in logs, the key nowhere.",
  "auth.issuers": "Whose tokens (JWT) are taken, and what their claims mean: docs/authentication.md.",
  "auth.identities": "Callers that the platform itself has proven: IAM on AWS, Entra on Azure.",
  "auth.roles": "Roles beside viewer, member, operator and admin: the actions that each allows.",
  "auth.onStoreFailure":
    "Whether keys that prove themselves pass while the store can't tell whether they are revoked. Default closed. Other keys never do, unless they were read within 15 minutes.",
  cors: "Browsers of other origins; absent, none may call.",
  "cors.origins": 'Such as https://app.example.com; ["*"] is anyone, without credentials.',
  "cors.headers": 'Default ["*"]: what the browser asks for.',
  "log.level": "Default info.",
  siili: "The API of the Siili Agent SDK (spaik-sdk): /threads, /files and /audio.",
  "siili.prefix": "Served below this path too, such as /api/chat. Default: at the root alone.",
  "siili.model": "The model that answers. Default: the first of models, else echo/echo.",
  "siili.system": "Instructions that open every conversation.",
  "siili.speechModel": "For speech where the call names none. Default tts-1 where a provider has it, else siili.model.",
  "siili.transcriptionModel":
    "The same for transcription. Default whisper-1 where a provider has it, else siili.model.",
  storage:
    "sqlite (default): threads, runs and responses are kept in a file below dataDir. none: nothing is kept, and calls that need it are refused.",
  dataDir: "Where stores keep their files. Default .heddle.",
  "threads.leaseMs":
    "How long a run that tells nothing of itself holds its thread: after a crash, the thread goes on then. Default 15000.",
  "threads.parkedMs": "How long a run waits for the outputs of its tools. Default 600000.",
  "threads.eventsTtlSeconds": "How long a run's stream can be replayed. Default 259200 (three days).",
  "threads.queueLength": "How many runs may wait on one thread. Default 16.",
};

/** A value written as `${NAME}` is of its type only once it is filled in. */
const variable = { type: "string", pattern: String.raw`\$\{[A-Za-z_]` };

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const needsVariable = (node: JsonObject): boolean =>
  node["type"] === "integer" ||
  node["type"] === "number" ||
  node["type"] === "boolean" ||
  node["enum"] !== undefined ||
  (node["type"] === "string" && (node["pattern"] !== undefined || Number(node["minLength"] ?? 0) > 1));

const annotate = (node: JsonObject, path: readonly string[]): JsonObject => {
  const result: JsonObject = { ...node };
  const { properties, additionalProperties, items, anyOf } = node as Record<string, unknown>;
  if (isObject(properties))
    result["properties"] = Object.fromEntries(
      Object.entries(properties).map(([key, each]) => [key, isObject(each) ? annotate(each, [...path, key]) : each]),
    );
  if (isObject(additionalProperties)) result["additionalProperties"] = annotate(additionalProperties, [...path, "*"]);
  if (isObject(items)) result["items"] = annotate(items, [...path, "[]"]);
  if (Array.isArray(anyOf)) result["anyOf"] = anyOf.map((each) => (isObject(each) ? annotate(each, path) : each));
  const filled: JsonObject = needsVariable(node) ? { anyOf: [result, variable] } : result;
  const description = descriptions[path.join(".")];
  return description === undefined || path.length === 0 ? filled : { description, ...filled };
};

/** The text of heddle.schema.json. */
export const publishedSchema = (): string => {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: "input" }) as unknown as JsonObject;
  const published = { $schema, title: "Heddle configuration", ...annotate(schema, []) };
  return `${JSON.stringify(published, undefined, 2)}\n`;
};

/** The paths described above, for the test that each of them exists. */
export const describedPaths: readonly string[] = Object.keys(descriptions);
