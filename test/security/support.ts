// What the tests of this folder share: a provider of the Chat wire that counts who comes, and calls to it.
import { startUpstream, type TestUpstream } from "../support/gateway.ts";

/** What a provider of the Chat wire says, with a hundred tokens of output. */
export const completion = (text: string): string =>
  JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1,
    model: "m",
    choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
    usage: { prompt_tokens: 1, completion_tokens: 100, total_tokens: 101 },
  });

const streamed = (text: string): string =>
  [
    { choices: [{ index: 0, delta: { role: "assistant", content: text }, finish_reason: null }] },
    { choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
    { choices: [], usage: { prompt_tokens: 1, completion_tokens: 100, total_tokens: 101 } },
  ]
    .map((chunk) => JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "m", ...chunk }))
    .concat("[DONE]")
    .map((data) => `data: ${data}\n\n`)
    .join("");

/** Each answer tells which request it was: `answer 1`, `answer 2`. */
export const startProvider = (): Promise<TestUpstream> => {
  let answered = 0;
  return startUpstream((request, response) => {
    answered += 1;
    if ((JSON.parse(request.body || "{}") as { stream?: boolean }).stream === true) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.end(streamed(`answer ${answered}`));
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.end(completion(`answer ${answered}`));
  });
};

export const providerOf = (upstream: TestUpstream): string =>
  `local: { kind: openai-compatible, baseUrl: "${upstream.url}/v1" }`;

export type Said = { status: number; headers: Headers; text: string };

export const said = async (response: Response): Promise<Said> => ({
  status: response.status,
  headers: response.headers,
  text: await response.text(),
});

/** A chat call of a hundred tokens of output at most. */
export const chat = async (
  { url }: { url: string },
  key: string,
  body: object = {},
  headers: Record<string, string> = {},
): Promise<Said> =>
  said(
    await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}`, ...headers },
      body: JSON.stringify({
        model: "local/m",
        max_tokens: 100,
        messages: [{ role: "user", content: "Hello" }],
        ...body,
      }),
    }),
  );

/** How many answers have each status. */
export const statuses = (answers: readonly Said[]): Record<number, number> => {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
};
