// What each provider demands of a conversation, by its own documentation, on the body as it is sent: each finding is a line of text.
import { isObject, type Json, type JsonObject } from "../../lib/model/json.ts";
import type { ClientWireId } from "../../lib/model/wire-id.ts";
import { type Recorded, recordings } from "../recorded.ts";

const objects = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);
const text = (value: Json | undefined): string => (typeof value === "string" ? value : "");
const sorted = (ids: readonly string[]): string => [...ids].sort().join(" ");

const alternates = (roles: readonly string[], first: string): string[] => [
  ...(roles[0] === first ? [] : [`begins with ${roles[0]}`]),
  ...roles.flatMap((role, at) => (at > 0 && roles[at - 1] === role ? [`${role} twice in a row, at ${at}`] : [])),
];

const anthropic = (body: JsonObject): string[] => {
  const messages = objects(body["messages"]);
  const found = alternates(
    messages.map(({ role }) => text(role)),
    "user",
  );
  let open: string[] = [];
  messages.forEach(({ role, content }, at) => {
    const blocks = objects(content);
    if (blocks.length === 0 && text(content) === "") found.push(`empty message at ${at}`);
    const results = blocks.filter(({ type }) => type === "tool_result");
    const answered = results.map((block) => text(block["tool_use_id"]));
    if (role === "user" && sorted(answered) !== sorted(open))
      found.push(`calls ${sorted(open)} answered by ${sorted(answered)}, at ${at}`);
    if (role === "user" && blocks.slice(0, results.length).some(({ type }) => type !== "tool_result"))
      found.push(`results do not come first, at ${at}`);
    if (role === "user") open = [];
    const calls = blocks.filter(({ type }) => type === "tool_use");
    if (role === "assistant") open = calls.map(({ id }) => text(id));
    for (const { id, input } of calls)
      if (!/^[a-zA-Z0-9_-]+$/.test(text(id)) || !isObject(input)) found.push(`a bad tool_use ${text(id)}`);
    for (const block of blocks) {
      if (block["type"] === "thinking" && text(block["signature"]) === "") found.push(`unsigned thinking at ${at}`);
      if (block["type"] === "text" && text(block["text"]) === "") found.push(`empty text at ${at}`);
    }
    if (role === "assistant" && at === messages.length - 1) found.push("ends with the assistant");
  });
  if (open.length > 0) found.push(`calls without results at the end: ${sorted(open)}`);
  if (typeof body["max_tokens"] !== "number") found.push("no max_tokens");
  return found;
};

const chat = (body: JsonObject): string[] => {
  const found: string[] = [];
  let open: string[] = [];
  const messages = objects(body["messages"]);
  messages.forEach((message, at) => {
    const role = text(message["role"]);
    if (role === "tool") {
      const id = text(message["tool_call_id"]);
      if (!open.includes(id)) found.push(`a result of no call, at ${at}`);
      open = open.filter((each) => each !== id);
      return;
    }
    if (open.length > 0) found.push(`calls ${sorted(open)} unanswered before ${role} at ${at}`);
    const calls = objects(message["tool_calls"]);
    open = calls.map(({ id }) => text(id));
    if (new Set(open).size !== open.length) found.push(`one id for two calls, at ${at}`);
    for (const call of calls) {
      const { arguments: args, name } = isObject(call["function"]) ? call["function"] : {};
      if (typeof args !== "string" || typeof name !== "string")
        found.push(`a call without arguments or name, at ${at}`);
    }
    const said = message["content"];
    if (role !== "assistant" && (said === null || said === undefined || said === "")) found.push(`no content at ${at}`);
    if (role === "assistant" && calls.length === 0 && (said === null || said === "")) found.push(`no content at ${at}`);
    if (role === "system" && at > 0 && text(messages[at - 1]?.["role"]) !== "system") found.push(`system at ${at}`);
  });
  if (open.length > 0) found.push(`calls without results at the end: ${sorted(open)}`);
  return found;
};

const responses = (body: JsonObject): string[] => {
  const found: string[] = [];
  const items = objects(body["input"]);
  const calls = new Set<string>();
  const answered = new Set<string>();
  items.forEach((item, at) => {
    const type = text(item["type"]) || (item["role"] === undefined ? "" : "message");
    const id = text(item["call_id"]);
    if (type === "function_call") calls.add(id);
    if (type === "function_call_output") {
      if (!calls.has(id) || answered.has(id)) found.push(`an output of no call, at ${at}`);
      answered.add(id);
    }
    const next = text(items[at + 1]?.["type"]) || text(items[at + 1]?.["role"]);
    if (type === "reasoning" && text(item["encrypted_content"]) === "")
      found.push(`reasoning without its content, at ${at}`);
    // "Item 'rs_…' of type 'reasoning' was provided without its required following item."
    if (
      type === "reasoning" &&
      !["message", "assistant", "function_call", "reasoning", "web_search_call"].includes(next)
    )
      found.push(`reasoning is followed by ${next}, at ${at}`);
    if (type === "item_reference") found.push(`a reference, at ${at}`);
  });
  for (const id of calls) if (!answered.has(id)) found.push(`call ${id} has no output`);
  if (body["store"] !== false) found.push("store is not false");
  const include = Array.isArray(body["include"]) ? body["include"] : [];
  if (!include.includes("reasoning.encrypted_content")) found.push("encrypted reasoning is not asked for");
  for (const name of ["previous_response_id", "conversation", "background"])
    if (name in body) found.push(`${name} is sent`);
  return found;
};

const gemini = (body: JsonObject): string[] => {
  const contents = objects(body["contents"]);
  const found = alternates(
    contents.map(({ role }) => text(role)),
    "user",
  );
  let open: string[] = [];
  contents.forEach((content, at) => {
    const parts = objects(content["parts"]);
    if (parts.length === 0) found.push(`no parts at ${at}`);
    const named = (field: string): string[] =>
      parts.flatMap((part) => (isObject(part[field]) ? [text(part[field]["name"])] : []));
    const results = named("functionResponse");
    if (content["role"] === "user" && sorted(results) !== sorted(open))
      found.push(`calls ${sorted(open)} answered by ${sorted(results)}, at ${at}`);
    open = content["role"] === "model" ? named("functionCall") : [];
    for (const part of parts) if (Object.keys(part).length === 0) found.push(`an empty part at ${at}`);
  });
  if (open.length > 0) found.push(`calls without results at the end: ${sorted(open)}`);
  if (contents.at(-1)?.["role"] !== "user") found.push("does not end with the user");
  return found;
};

/** Everything that a provider of the wire would refuse; empty where it would take it. */
export const grammar: Record<ClientWireId, (body: JsonObject) => string[]> = {
  "anthropic-messages": anthropic,
  "openai-chat": chat,
  "openai-responses": responses,
  "gemini-generate": gemini,
};

/** Values whose fields are the caller's own. */
const free = new Set(
  "arguments args input_schema parameters parametersJsonSchema response metadata schema properties action".split(" "),
);

/** The places of a body's fields, list positions left out, objects told apart by role or type: `messages[].content[]{text}.text`. */
export const shapeOf = (value: Json | undefined, at = ""): string[] => {
  if (Array.isArray(value)) return value.flatMap((each) => shapeOf(each, `${at}[]`));
  if (!isObject(value)) return [at];
  const kind = text(value["role"]) || text(value["type"]);
  const here = kind === "" ? at : `${at}{${kind}}`;
  return Object.entries(value).flatMap(([name, each]) =>
    free.has(name) || (name === "input" && isObject(each)) ? [`${here}.${name}`] : shapeOf(each, `${here}.${name}`),
  );
};

const protocolOf: Record<ClientWireId, string> = {
  "anthropic-messages": "anthropic-messages",
  "openai-chat": "openai-chat",
  "openai-responses": "openai-responses",
  "gemini-generate": "gemini",
};

/** Every place of a field in the recorded requests of a wire that their provider took; undefined where none are at hand. */
export const recordedShapes = (wire: ClientWireId): Set<string> | undefined => {
  const taken = recordings(protocolOf[wire]).filter(
    (record: Recorded): record is Recorded & { req: JsonObject } => record.req !== null && record.status === 200,
  );
  return taken.length === 0 ? undefined : new Set(taken.flatMap(({ req }) => shapeOf(req)));
};
