// What one caller has: something of every kind that has an id, with a secret planted wherever text goes.
import type { Headers } from "../../lib/model/call.ts";
import type { Counted, Got } from "./counted.ts";

/** An id of each kind. Whoever adds a kind adds it here, and below what makes one. */
export type Ids = {
  thread: string;
  /** A thread whose id its client chose. */
  namedThread: string;
  message: string;
  clientId: string;
  answer: string;
  run: string;
  /** A thread whose run waits for its tools, that run, and the call it waits for. */
  parkedThread: string;
  parkedRun: string;
  toolCall: string;
  /** A thread that a chat route made (`heddle-thread: new`). */
  joinedThread: string;
  response: string;
  conversation: string;
  item: string;
  /** An answer of a message thread of the Anthropic SDK. */
  previousMessage: string;
  siiliThread: string;
  siiliMessage: string;
  siiliAnswer: string;
  file: string;
  /** What an administrator made: a key, a rate and a budget of its tenant. */
  apiKey: string;
  rate: string;
  budget: string;
};

export const model = "echo/echo";

const field = (value: unknown, ...path: (string | number)[]): string => {
  let at: unknown = value;
  for (const step of path) at = (at as Record<string | number, unknown> | undefined)?.[step];
  if (typeof at !== "string" || at === "")
    throw new Error(`no ${path.join(".")} in ${JSON.stringify(value).slice(0, 400)}`);
  return at;
};

export const form = (
  parts: Record<string, string | { name: string; type: string; text: string }>,
): { headers: Headers; body: Uint8Array } => {
  const boundary = "----crossing";
  const text = Object.entries(parts).map(([name, part]) =>
    typeof part === "string"
      ? `--${boundary}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${part}\r\n`
      : `--${boundary}\r\ncontent-disposition: form-data; name="${name}"; filename="${part.name}"\r\ncontent-type: ${part.type}\r\n\r\n${part.text}\r\n`,
  );
  return {
    headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
    body: Buffer.from(`${text.join("")}--${boundary}--\r\n`),
  };
};

let made = 0;

/**
 * `secret` is in every text, title, metadata value, file and chosen id. Who does not administer (`rules: false`) has keys and rules of
 * nobody's.
 */
export const furnish = async (gateway: Counted, headers: Headers, secret: string, rules = true): Promise<Ids> => {
  made += 1;
  const call = async (method: string, path: string, body?: object | Uint8Array, more: Headers = {}): Promise<Got> => {
    const got = await gateway.send({
      method,
      path,
      headers: { ...headers, ...more },
      ...(body === undefined ? {} : { body }),
    });
    if (got.status >= 300) throw new Error(`${method} ${path}: ${got.status} ${got.text}`);
    return got;
  };
  const post = async (path: string, body: object): Promise<unknown> =>
    JSON.parse((await call("POST", path, body)).text);
  const said = `I know ${secret}`;

  const namedThread = `named-${secret}-${made}`;
  await post("/v1/threads", { id: namedThread, title: said, metadata: { about: secret }, system: said });
  const thread = field(await post("/v1/threads", { title: said, metadata: { about: secret }, system: said }), "id");
  const clientId = `client-${secret}-${made}`;
  const message = field(
    await post(`/v1/threads/${thread}/messages`, { role: "user", content: said, client_id: clientId }),
    "id",
  );
  const run = await post(`/v1/threads/${thread}/runs`, { model, input: said, metadata: { about: secret } });

  const parkedThread = field(await post("/v1/threads", { title: said }), "id");
  const parked = await post(`/v1/threads/${parkedThread}/runs`, { model, input: said, tools: [{ name: "weather" }] });

  const joined = await call(
    "POST",
    "/v1/chat/completions",
    { model, messages: [{ role: "user", content: said }] },
    { "heddle-thread": "new" },
  );
  const response = field(await post("/v1/responses", { model, input: said, metadata: { about: secret } }), "id");
  const conversation = field(
    await post("/v1/conversations", { metadata: { about: secret }, items: [{ role: "user", content: said }] }),
    "id",
  );
  const items: unknown = JSON.parse((await call("GET", `/v1/conversations/${conversation}/items`)).text);
  const previous = await post("/v1/messages", {
    model,
    max_tokens: 64,
    thread: { type: "create" },
    messages: [{ role: "user", content: said }],
  });

  const siiliThread = field(await post("/threads", { metadata: { title: said } }), "id");
  const siiliMessage = field(await post(`/threads/${siiliThread}/messages`, { content: said }), "id");
  const siili: unknown = JSON.parse((await call("GET", `/threads/${siiliThread}/messages`)).text);
  const upload = form({ file: { name: `${secret}.txt`, type: "text/plain", text: said } });
  const file = field(JSON.parse((await call("POST", "/files", upload.body, upload.headers)).text), "file_id");

  const name = `${secret.slice(-24)}-${made}`;
  const match = { keys: [`nobody-${secret}`] };
  if (rules) {
    await post("/v1/admin/limits/rates", { name, by: "key", requestsPerMinute: 1_000, match });
    await post("/v1/admin/limits/budgets", { name, by: "tenant", amount: 5, per: "total", match });
  }
  const apiKey = rules
    ? field(await post("/v1/admin/keys", { name: said, owner: `owner-${secret}`, roles: ["viewer"] }), "id")
    : "0123456789abcdef";

  return {
    apiKey,
    rate: name,
    budget: name,
    thread,
    namedThread,
    message,
    clientId,
    answer: field(run, "message", "id"),
    run: field(run, "id"),
    parkedThread,
    parkedRun: field(parked, "id"),
    toolCall: field(parked, "required_action", "tool_calls", 0, "id"),
    joinedThread: field(joined.headers, "heddle-thread"),
    response,
    conversation,
    item: field(items, "data", 0, "id"),
    previousMessage: field(previous, "id"),
    siiliThread,
    siiliMessage,
    siiliAnswer: field(siili, 1, "id"),
    file,
  };
};

/** All that is there, as its owner reads it: to see that nobody has changed a thing. */
export const inventory = async (gateway: Counted, headers: Headers, ids: Ids): Promise<string[]> => {
  const { thread, namedThread, parkedThread, joinedThread, siiliThread, conversation, response, file } = ids;
  const { apiKey, rate, budget } = ids;
  const paths = [
    ...[thread, namedThread, parkedThread, joinedThread, siiliThread, conversation].map(
      (id) => `/v1/threads/${id}/export`,
    ),
    `/v1/responses/${response}`,
    `/files/${file}`,
    `/v1/admin/keys/${apiKey}`,
    `/v1/admin/limits/rates/${rate}`,
    `/v1/admin/limits/budgets/${budget}`,
    "/v1/threads?limit=100",
  ];
  const texts: string[] = [];
  for (const path of paths) {
    const { status, text } = await gateway.send({ method: "GET", path, headers });
    texts.push(`${path} ${status} ${text}`);
  }
  return texts;
};
