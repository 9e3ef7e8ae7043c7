// How each route is called with the ids that it takes: what the crossing suite tries with the wrong credentials.
//
// To add a route: an entry under its method and the source of its pattern (the failing test says which). `of` gives the calls that name
// something stored, made of `Ids`: one for each place where an id can stand (path, query, header, each field of the body). `plain` gives
// calls that name nothing. A route that needs both has both. A new kind of id: `Ids` and `furnish` in world.ts.
// Routes of administration: entries-admin.ts. Nothing else is to be written: that the calls are right, that they fail for others, leak nothing and change nothing is the suite's part.
import type { Action } from "../../lib/auth/policy.ts";
import type { Headers } from "../../lib/model/call.ts";
import { adminEntries } from "./entries-admin.ts";
import { form, type Ids, model } from "./world.ts";

export type EntryCall = {
  path: string;
  body?: object | Uint8Array;
  headers?: Headers;
  /** What the call needs beside its route's action, as it works on more than the route's own matter. */
  needs?: readonly Action[];
  /** Answers where nothing is found, in the wire's own way: `previous_response_not_found` is a 400 with OpenAI. */
  notFound?: number;
  /** Within the tenant it is no crossing: everybody gets what is their own. */
  ownWithin?: true;
  /** The route is not served here at all, whoever asks and whatever for. */
  always?: number;
};

export type Entry = {
  of?: (ids: Ids) => EntryCall[];
  plain?: () => EntryCall[];
  /** Its calls end up with a model: whoever may not call models, or not this one, may not make them. */
  callsModel?: true;
  /** What is named is the tenant's: its administrators are no strangers to it. */
  tenantWide?: true;
};

const get = (paths: (ids: Ids) => string[]): Entry => ({ of: (ids) => paths(ids).map((path) => ({ path })) });
const post = (path: (ids: Ids) => string, ...bodies: ((ids: Ids) => object)[]): Entry => ({
  of: (ids) => bodies.map((body) => ({ path: path(ids), body: body(ids) })),
});
const plain = (...calls: EntryCall[]): Entry => ({ plain: () => calls });

const messages = [{ role: "user", content: "Hello" }];
const contents = [{ role: "user", parts: [{ text: "Hello" }] }];
const wav = { name: "a.wav", type: "audio/wav", text: "RIFF" };

/** A chat call in all the ways in which it can go on with a thread. */
const chat = (path: string, body: object, ...more: ((ids: Ids) => EntryCall)[]): Entry => ({
  callsModel: true,
  plain: () => [{ path, body }],
  of: (ids) => [
    ...[ids.thread, ids.namedThread, ids.joinedThread, ids.siiliThread, ids.conversation].map((id) => ({
      path,
      body,
      headers: { "heddle-thread": id },
      needs: ["threads:write"] as const,
    })),
    ...more.map((make) => ({ needs: ["threads:write"] as const, ...make(ids) })),
  ],
});

const responses = (body: object): ((ids: Ids) => EntryCall) => {
  const base = { path: "/v1/responses", notFound: 400 };
  return (ids) => ({ ...base, body: { model, input: "Hello", previous_response_id: ids.response, ...body } });
};
const inConversation = (body: (id: string) => object): ((ids: Ids) => EntryCall) => {
  const base = { path: "/v1/responses" };
  return (ids) => ({ ...base, body: { model, input: "Hello", ...body(ids.conversation) } });
};

/** The Siili SDK's API stands at two places: a call of each. */
const siili = (entry: Entry): Entry => {
  const twice = (calls: EntryCall[]): EntryCall[] =>
    calls.flatMap((call) => [call, { ...call, path: `/api/chat${call.path}` }]);
  const { of, plain: without } = entry;
  return {
    ...entry,
    ...(of === undefined ? {} : { of: (ids) => twice(of(ids)) }),
    ...(without === undefined ? {} : { plain: () => twice(without()) }),
  };
};
const siiliKey = (method: string, path: string): string => `${method} ^(?:\\/api\\/chat)?${path}$`;

const thread = "\\/v1\\/threads\\/([^/]+)";
const gemini = "^\\/v1(?:beta)?\\/(?:models\\/)?(.+)";

export const entries: Readonly<Record<string, Entry>> = {
  ...adminEntries,

  // The four wires.
  "POST ^\\/v1\\/chat\\/completions$": chat("/v1/chat/completions", { model, messages }, (ids) => ({
    path: "/v1/chat/completions",
    body: { model, messages, stream: true },
    headers: { "heddle-thread": ids.thread, "heddle-on-conflict": "interrupt" },
  })),
  "POST ^\\/v1\\/messages$": chat("/v1/messages", { model, max_tokens: 64, messages }, (ids) => ({
    path: "/v1/messages",
    body: { model, max_tokens: 64, messages, thread: { type: "continue", previous_message_id: ids.previousMessage } },
  })),
  "POST ^\\/v1\\/responses$": chat(
    "/v1/responses",
    { model, input: "Hello" },
    responses({}),
    responses({ stream: true }),
    responses({ background: true }),
    responses({ store: false }),
    inConversation((conversation) => ({ conversation })),
    inConversation((id) => ({ conversation: { id } })),
    inConversation((conversation) => ({ conversation, background: true })),
  ),
  [`POST ${gemini}:(generateContent|streamGenerateContent)$`]: {
    callsModel: true,
    plain: () => [{ path: `/v1beta/models/${model}:generateContent`, body: { contents } }],
    of: (ids) =>
      ["generateContent", "streamGenerateContent", "streamGenerateContent?alt=sse"].map((method) => ({
        path: `/v1beta/models/${model}:${method}`,
        body: { contents },
        headers: { "heddle-thread": ids.thread },
        needs: ["threads:write"],
      })),
  },

  // Stored responses and conversations.
  "GET ^\\/v1\\/responses\\/(?!input_tokens$|compact$)([^/]+)$": get(({ response }) => [
    `/v1/responses/${response}`,
    `/v1/responses/${response}?stream=true`,
    `/v1/responses/${response}?stream=true&starting_after=1`,
  ]),
  "DELETE ^\\/v1\\/responses\\/(?!input_tokens$|compact$)([^/]+)$": get(({ response }) => [
    `/v1/responses/${response}`,
  ]),
  "POST ^\\/v1\\/responses\\/([^/]+)\\/cancel$": post(
    ({ response }) => `/v1/responses/${response}/cancel`,
    () => ({}),
  ),
  "GET ^\\/v1\\/responses\\/([^/]+)\\/input_items$": get(({ response }) => [`/v1/responses/${response}/input_items`]),
  "POST ^\\/v1\\/responses\\/compact$": {
    callsModel: true,
    plain: () => [{ path: "/v1/responses/compact", body: { model, input: "Hello" } }],
    of: ({ response }) => [
      {
        path: "/v1/responses/compact",
        body: { model, previous_response_id: response },
        notFound: 400,
        needs: ["threads:read"],
      },
    ],
  },
  "POST ^\\/v1\\/conversations$": plain({ path: "/v1/conversations", body: {} }),
  "GET ^\\/v1\\/conversations\\/([^/]+)$": get((ids) => [
    `/v1/conversations/${ids.conversation}`,
    `/v1/conversations/${ids.thread}`,
  ]),
  "POST ^\\/v1\\/conversations\\/([^/]+)$": post(
    ({ conversation }) => `/v1/conversations/${conversation}`,
    () => ({ metadata: { about: "taken over" } }),
  ),
  "DELETE ^\\/v1\\/conversations\\/([^/]+)$": get(({ conversation }) => [`/v1/conversations/${conversation}`]),
  "GET ^\\/v1\\/conversations\\/([^/]+)\\/items$": get(({ conversation }) => [
    `/v1/conversations/${conversation}/items`,
  ]),
  "POST ^\\/v1\\/conversations\\/([^/]+)\\/items$": post(
    ({ conversation }) => `/v1/conversations/${conversation}/items`,
    () => ({ items: [{ role: "user", content: "Hello" }] }),
  ),
  "GET ^\\/v1\\/conversations\\/([^/]+)\\/items\\/([^/]+)$": get((ids) => [
    `/v1/conversations/${ids.conversation}/items/${ids.item}`,
  ]),
  "DELETE ^\\/v1\\/conversations\\/([^/]+)\\/items\\/([^/]+)$": get((ids) => [
    `/v1/conversations/${ids.conversation}/items/${ids.item}`,
  ]),

  // Counting, models, services: nothing stored is named.
  "POST ^\\/v1\\/messages\\/count_tokens$": {
    ...plain({ path: "/v1/messages/count_tokens", body: { model, messages } }),
    callsModel: true,
  },
  "POST ^\\/v1\\/responses\\/input_tokens$": {
    ...plain({ path: "/v1/responses/input_tokens", body: { model, input: "Hello" } }),
    callsModel: true,
  },
  [`POST ${gemini}:countTokens$`]: {
    ...plain({ path: `/v1beta/models/${model}:countTokens`, body: { contents } }),
    callsModel: true,
  },
  "GET ^\\/v1(?:beta)?\\/models$": plain({ path: "/v1/models" }, { path: "/v1beta/models" }),
  "POST ^\\/v1\\/models\\/refresh$": plain({ path: "/v1/models/refresh", body: {} }),
  "GET ^\\/v1(?:beta)?\\/models\\/(?!.*:(?:generateContent|streamGenerateContent|countTokens)$)(.+)$": plain({
    path: `/v1/models/${model}`,
  }),
  "POST ^\\/v1\\/embeddings$": {
    ...plain({ path: "/v1/embeddings", body: { model: "echo/echo-embed", input: "Hello" } }),
    callsModel: true,
  },
  "POST ^\\/v1\\/images\\/generations$": {
    ...plain({ path: "/v1/images/generations", body: { model, prompt: "A house" } }),
    callsModel: true,
  },
  "POST ^\\/v1\\/audio\\/speech$": {
    ...plain({ path: "/v1/audio/speech", body: { model, input: "Hello", voice: "alloy" } }),
    callsModel: true,
  },
  "POST ^\\/v1\\/audio\\/transcriptions$": {
    ...plain({ path: "/v1/audio/transcriptions", ...form({ model, file: wav }) }),
    callsModel: true,
  },
  "POST ^\\/v1\\/audio\\/translations$": {
    ...plain({ path: "/v1/audio/translations", ...form({ model, file: wav }) }),
    callsModel: true,
  },

  // Threads and runs.
  "POST ^\\/v1\\/threads$": plain({ path: "/v1/threads", body: {} }),
  "GET ^\\/v1\\/threads$": plain(
    { path: "/v1/threads?limit=100" },
    { path: "/v1/threads?title_prefix=I" },
    { path: "/v1/threads?metadata[about]=x" },
  ),
  [`GET ^${thread}$`]: get((ids) => [
    `/v1/threads/${ids.thread}`,
    `/v1/threads/${ids.namedThread}`,
    `/v1/threads/${ids.parkedThread}`,
    `/v1/threads/${ids.joinedThread}`,
    `/v1/threads/${ids.conversation}`,
    `/v1/threads/${ids.siiliThread}`,
  ]),
  [`PATCH ^${thread}$`]: {
    of: (ids) => [
      { path: `/v1/threads/${ids.thread}`, body: { title: "Taken over" } },
      { path: `/v1/threads/${ids.namedThread}`, body: { metadata: null }, headers: { "if-match": "*" } },
      { path: `/v1/threads/${ids.thread}`, body: { title: "Taken over" }, headers: { "if-match": '"1", "2", "3"' } },
    ],
  },
  [`DELETE ^${thread}$`]: get((ids) => [`/v1/threads/${ids.thread}`, `/v1/threads/${ids.namedThread}`]),
  [`POST ^${thread}\\/fork$`]: post(
    (ids) => `/v1/threads/${ids.thread}/fork`,
    () => ({}),
    (ids) => ({ message_id: ids.message }),
    (ids) => ({ message_id: ids.answer, title: "Mine" }),
  ),
  [`GET ^${thread}\\/export$`]: get((ids) => [
    `/v1/threads/${ids.thread}/export`,
    `/v1/threads/${ids.siiliThread}/export`,
  ]),
  [`GET ^${thread}\\/usage$`]: get((ids) => [`/v1/threads/${ids.thread}/usage`]),
  [`GET ^${thread}\\/messages$`]: get((ids) => [
    `/v1/threads/${ids.thread}/messages`,
    `/v1/threads/${ids.thread}/messages?after=${ids.message}`,
    `/v1/threads/${ids.thread}/messages?before=${ids.answer}`,
    `/v1/threads/${ids.thread}/messages?branch=path&leaf=${ids.answer}`,
  ]),
  [`POST ^${thread}\\/messages$`]: post(
    (ids) => `/v1/threads/${ids.thread}/messages`,
    () => ({ role: "user", content: "Hello" }),
    (ids) => ({ role: "user", content: "Hello", parent_id: ids.message }),
  ),
  [`GET ^${thread}\\/messages\\/([^/]+)$`]: get((ids) => [
    `/v1/threads/${ids.thread}/messages/${ids.message}`,
    `/v1/threads/${ids.thread}/messages/${ids.answer}`,
    `/v1/threads/${ids.thread}/messages/${ids.clientId}`,
  ]),
  [`DELETE ^${thread}\\/messages\\/([^/]+)$`]: get((ids) => [
    `/v1/threads/${ids.thread}/messages/${ids.message}`,
    `/v1/threads/${ids.thread}/messages/${ids.clientId}`,
  ]),
  [`GET ^${thread}\\/messages\\/([^/]+)\\/siblings$`]: get((ids) => [
    `/v1/threads/${ids.thread}/messages/${ids.message}/siblings`,
  ]),
  [`POST ^${thread}\\/active_leaf$`]: post(
    (ids) => `/v1/threads/${ids.thread}/active_leaf`,
    (ids) => ({ message_id: ids.message }),
  ),
  [`POST ^${thread}\\/runs$`]: {
    ...post(
      (ids) => `/v1/threads/${ids.thread}/runs`,
      () => ({ model }),
      () => ({ model, input: "Hello", stream: true }),
      () => ({ model, input: "Hello", background: true }),
      (ids) => ({ model, parent_id: ids.message }),
      () => ({ model, input: "Hello", on_conflict: "interrupt" }),
    ),
    callsModel: true,
  },
  [`GET ^${thread}\\/runs$`]: get((ids) => [
    `/v1/threads/${ids.thread}/runs`,
    `/v1/threads/${ids.thread}/runs?after=${ids.run}`,
  ]),
  [`GET ^${thread}\\/runs\\/([^/]+)$`]: get((ids) => [
    `/v1/threads/${ids.thread}/runs/${ids.run}`,
    `/v1/threads/${ids.parkedThread}/runs/${ids.parkedRun}`,
  ]),
  [`GET ^${thread}\\/runs\\/([^/]+)\\/events$`]: get((ids) => [
    `/v1/threads/${ids.thread}/runs/${ids.run}/events`,
    `/v1/threads/${ids.thread}/runs/${ids.run}/events?after=1`,
    `/v1/threads/${ids.thread}/runs/${ids.run}/events?wire=openai-chat`,
    `/v1/threads/${ids.parkedThread}/runs/${ids.parkedRun}/events`,
  ]),
  [`POST ^${thread}\\/runs\\/([^/]+)\\/cancel$`]: post(
    (ids) => `/v1/threads/${ids.parkedThread}/runs/${ids.parkedRun}/cancel`,
    () => ({}),
  ),
  [`POST ^${thread}\\/runs\\/([^/]+)\\/tool_outputs$`]: {
    ...post(
      (ids) => `/v1/threads/${ids.parkedThread}/runs/${ids.parkedRun}/tool_outputs`,
      (ids) => ({ tool_outputs: [{ tool_call_id: ids.toolCall, output: "Sunny." }] }),
      (ids) => ({ tool_outputs: [{ tool_call_id: ids.toolCall, output: "Sunny." }], stream: true }),
    ),
    callsModel: true,
  },

  // Probes and numbers.
  "GET ^\\/health$": plain({ path: "/health" }),
  "GET ^\\/health\\/live$": plain({ path: "/health/live" }),
  "GET ^\\/health\\/startup$": plain({ path: "/health/startup" }),
  "GET ^\\/health\\/ready$": plain({ path: "/health/ready" }),
  "GET ^\\/health\\/providers$": plain({ path: "/health/providers" }),
  "GET ^\\/metrics$": plain({ path: "/metrics" }),

  // The Siili Agent SDK's API, at the root and below its prefix.
  [siiliKey("POST", "\\/threads")]: siili(plain({ path: "/threads", body: {} })),
  [siiliKey("GET", "\\/threads")]: siili(plain({ path: "/threads" }, { path: "/threads?title_contains=know" })),
  [siiliKey("GET", "\\/threads\\/([^/]+)")]: siili(
    get((ids) => [`/threads/${ids.siiliThread}`, `/threads/${ids.thread}`]),
  ),
  [siiliKey("DELETE", "\\/threads\\/([^/]+)")]: siili(get((ids) => [`/threads/${ids.siiliThread}`])),
  [siiliKey("POST", "\\/threads\\/([^/]+)\\/cancel")]: siili(
    post(
      (ids) => `/threads/${ids.parkedThread}/cancel`,
      () => ({}),
    ),
  ),
  [siiliKey("GET", "\\/threads\\/([^/]+)\\/negotiate-streaming")]: siili({
    of: (ids) => [{ path: `/threads/${ids.siiliThread}/negotiate-streaming`, always: 501 }],
  }),
  [siiliKey("GET", "\\/threads\\/([^/]+)\\/messages")]: siili(get((ids) => [`/threads/${ids.siiliThread}/messages`])),
  [siiliKey("POST", "\\/threads\\/([^/]+)\\/messages")]: {
    ...siili(
      post(
        (ids) => `/threads/${ids.siiliThread}/messages`,
        () => ({ content: "Hello" }),
        (ids) => ({ content: "Hello", attachments: [{ file_id: ids.file }] }),
      ),
    ),
    callsModel: true,
  },
  [siiliKey("POST", "\\/threads\\/([^/]+)\\/messages\\/stream")]: {
    ...siili(
      post(
        (ids) => `/threads/${ids.siiliThread}/messages/stream`,
        () => ({ content: "Hello" }),
        (ids) => ({ content: "Hello", attachments: [{ file_id: ids.file }] }),
      ),
    ),
    callsModel: true,
  },
  [siiliKey("GET", "\\/threads\\/([^/]+)\\/messages\\/([^/]+)")]: siili(
    get((ids) => [
      `/threads/${ids.siiliThread}/messages/${ids.siiliMessage}`,
      `/threads/${ids.siiliThread}/messages/${ids.siiliAnswer}`,
    ]),
  ),
  [siiliKey("DELETE", "\\/threads\\/([^/]+)\\/messages\\/([^/]+)")]: siili(
    get((ids) => [
      `/threads/${ids.siiliThread}/messages/${ids.siiliMessage}`,
      `/threads/${ids.siiliThread}/messages/${ids.siiliAnswer}`,
    ]),
  ),
  [siiliKey("POST", "\\/files")]: siili(plain({ path: "/files", ...form({ file: wav }) })),
  [siiliKey("GET", "\\/files\\/([^/]+)")]: siili(get((ids) => [`/files/${ids.file}`])),
  [siiliKey("DELETE", "\\/files\\/([^/]+)")]: siili(get((ids) => [`/files/${ids.file}`])),
  [siiliKey("POST", "\\/audio\\/speech(?:\\/stream)?")]: {
    ...siili(
      plain(
        { path: "/audio/speech", body: { text: "Hello" } },
        { path: "/audio/speech/stream", body: { text: "Hello" } },
      ),
    ),
    callsModel: true,
  },
  [siiliKey("POST", "\\/audio\\/transcribe")]: {
    ...siili(plain({ path: "/audio/transcribe", ...form({ file: wav }) })),
    callsModel: true,
  },
};
