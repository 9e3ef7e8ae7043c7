// The official SDKs and the frameworks people use, each as the same small set of verbs over one base URL.
import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";
import { GoogleGenerativeAI } from "@google/generative-ai";
import { ChatAnthropic } from "@langchain/anthropic";
import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { HumanMessage, ToolMessage, type AIMessage } from "@langchain/core/messages";
import { ChatGoogleGenerativeAI } from "@langchain/google-genai";
import { ChatOpenAI } from "@langchain/openai";
import { generateObject, generateText, jsonSchema, type LanguageModel, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const weatherSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] } as const;
const bookSchema = {
  type: "object",
  properties: { title: { type: "string" }, pages: { type: "integer" } },
  required: ["title", "pages"],
  additionalProperties: false,
} as const;
/** Long enough for a gateway that asks for it. */
const key = "fake-client-key-0123456789";
const toolAnswer = "WEATHER-IS-FINE";

/** Each verb gives what a test looks at; what a client can't do is absent. */
export type Client = {
  name: string;
  /** The answer's text. */
  plain: (url: string, model: string, prompt: string) => Promise<string>;
  /** The answer's text by pieces. */
  stream: (url: string, model: string, prompt: string) => Promise<string[]>;
  /** What the client asks where a model's name tells it what the model can do. */
  nameOf?: (model: string) => string;
  /** What the model thought, and its answer; absent where the client has no way to show thinking. */
  reasoning?: (url: string, model: string, prompt: string) => Promise<{ thought: string; text: string }>;
  /** Runs a tool loop with the tools `get_weather` and `get_time`; gives the names called and the last text. */
  tools: (url: string, model: string, prompt: string) => Promise<{ called: string[]; text: string }>;
  /** An answer that fits `bookSchema`, parsed. */
  structured: (url: string, model: string) => Promise<unknown>;
  image: (url: string, model: string) => Promise<string>;
  /** Rejects with the SDK's own error; gives its status, where it has one. */
  error: (url: string, model: string) => Promise<number | undefined>;
  /** Leaves a stream after its first piece. */
  abort: (url: string, model: string, prompt: string) => Promise<void>;
};

const statusOf = (error: unknown): number | undefined => {
  if (typeof error !== "object" || error === null) return undefined;
  for (const name of ["status", "statusCode", "code"]) {
    const value = (error as Record<string, unknown>)[name];
    if (typeof value === "number") return value;
  }
  const cause = (error as Record<string, unknown>)["lastError"] ?? (error as Record<string, unknown>)["cause"];
  if (cause !== undefined && cause !== error) return statusOf(cause);
  const found = /\b([45]\d\d)\b/.exec((error as Error).message);
  return found === null ? undefined : Number(found[1]);
};
const failing = async (run: () => Promise<unknown>): Promise<number | undefined> => {
  try {
    await run();
  } catch (error) {
    return statusOf(error) ?? -1;
  }
  return undefined;
};

const openai = (url: string): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const tools = [
  { name: "get_weather", description: "The weather in a city.", parameters: weatherSchema },
  { name: "get_time", description: "The time in a city.", parameters: weatherSchema },
] as const;

const openaiChat: Client = {
  name: "openai chat",
  reasoning: async (url, model, prompt) => {
    const first = await openai(url).chat.completions.create({
      model,
      reasoning_effort: "low",
      messages: [{ role: "user", content: prompt }],
    });
    const message = first.choices[0]!.message;
    const next = await openai(url).chat.completions.create({
      model,
      messages: [{ role: "user", content: prompt }, message, { role: "user", content: "go on" }],
    });
    return {
      thought: (message as { reasoning_content?: string }).reasoning_content ?? "",
      text: next.choices[0]?.message.content ?? "",
    };
  },
  plain: async (url, model, prompt) =>
    (await openai(url).chat.completions.create({ model, messages: [{ role: "user", content: prompt }] })).choices[0]
      ?.message.content ?? "",
  stream: async (url, model, prompt) => {
    const pieces: string[] = [];
    const stream = openai(url).chat.completions.stream({ model, messages: [{ role: "user", content: prompt }] });
    stream.on("content", (delta) => pieces.push(delta));
    await stream.finalChatCompletion();
    return pieces;
  },
  tools: async (url, model, prompt) => {
    const messages: OpenAI.Chat.Completions.ChatCompletionMessageParam[] = [{ role: "user", content: prompt }];
    const called: string[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      const completion = await openai(url)
        .chat.completions.stream({ model, messages, tools: tools.map((one) => ({ type: "function", function: one })) })
        .finalChatCompletion();
      const message = completion.choices[0]!.message;
      messages.push(message);
      if (!message.tool_calls?.length) return { called, text: message.content ?? "" };
      for (const call of message.tool_calls) {
        if (call.type !== "function") continue;
        JSON.parse(call.function.arguments);
        called.push(call.function.name);
        messages.push({ role: "tool", tool_call_id: call.id, content: toolAnswer });
      }
    }
    return { called, text: "" };
  },
  structured: async (url, model) => {
    const completion = await openai(url).chat.completions.create({
      model,
      messages: [{ role: "user", content: "A book." }],
      response_format: { type: "json_schema", json_schema: { name: "book", schema: bookSchema, strict: true } },
    });
    return JSON.parse(completion.choices[0]?.message.content ?? "");
  },
  image: async (url, model) =>
    (
      await openai(url).chat.completions.create({
        model,
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "What is this?" },
              { type: "image_url", image_url: { url: `data:image/png;base64,${png}` } },
            ],
          },
        ],
      })
    ).choices[0]?.message.content ?? "",
  error: (url, model) =>
    failing(() =>
      openai(url).chat.completions.create({ model, messages: [{ role: "user", content: "[[fail 429]]" }] }),
    ),
  abort: async (url, model, prompt) => {
    const stream = await openai(url).chat.completions.create({
      model,
      stream: true,
      messages: [{ role: "user", content: prompt }],
    });
    for await (const chunk of stream) if ((chunk.choices[0]?.delta.content ?? "") !== "") break;
  },
};

const openaiResponses: Client = {
  name: "openai responses",
  reasoning: async (url, model, prompt) => {
    const first = await openai(url).responses.create({
      model,
      input: prompt,
      include: ["reasoning.encrypted_content"],
      reasoning: { effort: "low", summary: "auto" },
    });
    const thought = first.output
      .flatMap((item) => (item.type === "reasoning" ? item.summary.map((part) => part.text) : []))
      .join("");
    const input = [
      { role: "user", content: prompt },
      ...first.output,
      { role: "user", content: "go on" },
    ] as OpenAI.Responses.ResponseInput;
    return {
      thought,
      text: (await openai(url).responses.create({ model, input, include: ["reasoning.encrypted_content"] }))
        .output_text,
    };
  },
  plain: async (url, model, prompt) =>
    (await openai(url).responses.create({ model, input: prompt, store: false })).output_text,
  stream: async (url, model, prompt) => {
    const pieces: string[] = [];
    const stream = openai(url).responses.stream({ model, input: prompt });
    stream.on("response.output_text.delta", (event) => pieces.push(event.delta));
    await stream.finalResponse();
    return pieces;
  },
  tools: async (url, model, prompt) => {
    const input: OpenAI.Responses.ResponseInputItem[] = [{ role: "user", content: prompt }];
    const called: string[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      const response = await openai(url)
        .responses.stream({ model, input, tools: tools.map((one) => ({ type: "function", strict: false, ...one })) })
        .finalResponse();
      input.push(...(response.output as OpenAI.Responses.ResponseInputItem[]));
      const calls = response.output.filter((item) => item.type === "function_call");
      if (calls.length === 0) return { called, text: response.output_text };
      for (const call of calls) {
        JSON.parse(call.arguments);
        called.push(call.name);
        input.push({ type: "function_call_output", call_id: call.call_id, output: toolAnswer });
      }
    }
    return { called, text: "" };
  },
  structured: async (url, model) => {
    const response = await openai(url).responses.create({
      model,
      input: "A book.",
      text: { format: { type: "json_schema", name: "book", schema: bookSchema, strict: true } },
    });
    return JSON.parse(response.output_text);
  },
  image: async (url, model) =>
    (
      await openai(url).responses.create({
        model,
        input: [
          {
            role: "user",
            content: [
              { type: "input_text", text: "What is this?" },
              { type: "input_image", detail: "auto", image_url: `data:image/png;base64,${png}` },
            ],
          },
        ],
      })
    ).output_text,
  error: (url, model) => failing(() => openai(url).responses.create({ model, input: "[[fail 429]]" })),
  abort: async (url, model, prompt) => {
    const stream = await openai(url).responses.create({ model, stream: true, input: prompt });
    for await (const event of stream) if (event.type === "response.output_text.delta") break;
  },
};

const anthropic = (url: string): Anthropic => new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
const anthropicTools: Anthropic.Tool[] = tools.map(({ name, description }) => ({
  name,
  description,
  input_schema: { ...weatherSchema, required: ["city"] },
}));
const blockText = (blocks: Anthropic.ContentBlock[]): string =>
  blocks.map((block) => (block.type === "text" ? block.text : "")).join("");

const anthropicSdk: Client = {
  name: "anthropic",
  reasoning: async (url, model, prompt) => {
    const options = { model, max_tokens: 3000, thinking: { type: "enabled", budget_tokens: 1024 } } as const;
    const first = await anthropic(url)
      .messages.stream({ ...options, messages: [{ role: "user", content: prompt }] })
      .finalMessage();
    const next = await anthropic(url).messages.create({
      ...options,
      messages: [
        { role: "user", content: prompt },
        { role: "assistant", content: first.content },
        { role: "user", content: "go on" },
      ],
    });
    return {
      thought: first.content.map((block) => (block.type === "thinking" ? block.thinking : "")).join(""),
      text: blockText(next.content),
    };
  },
  plain: async (url, model, prompt) =>
    blockText(
      (await anthropic(url).messages.create({ model, max_tokens: 500, messages: [{ role: "user", content: prompt }] }))
        .content,
    ),
  stream: async (url, model, prompt) => {
    const pieces: string[] = [];
    const stream = anthropic(url).messages.stream({
      model,
      max_tokens: 500,
      messages: [{ role: "user", content: prompt }],
    });
    stream.on("text", (text) => pieces.push(text));
    await stream.finalMessage();
    return pieces;
  },
  tools: async (url, model, prompt) => {
    const messages: Anthropic.MessageParam[] = [{ role: "user", content: prompt }];
    const called: string[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      const message = await anthropic(url)
        .messages.stream({ model, max_tokens: 500, messages, tools: anthropicTools })
        .finalMessage();
      messages.push({ role: "assistant", content: message.content });
      const calls = message.content.filter((block) => block.type === "tool_use");
      if (calls.length === 0) return { called, text: blockText(message.content) };
      called.push(...calls.map((call) => call.name));
      messages.push({
        role: "user",
        content: calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: toolAnswer })),
      });
    }
    return { called, text: "" };
  },
  structured: async (url, model) =>
    JSON.parse(
      blockText(
        (
          await anthropic(url).messages.create({
            model,
            max_tokens: 500,
            messages: [{ role: "user", content: "A book." }],
            output_config: { format: { type: "json_schema", schema: bookSchema } },
          })
        ).content,
      ),
    ),
  image: async (url, model) =>
    blockText(
      (
        await anthropic(url).messages.create({
          model,
          max_tokens: 500,
          messages: [
            {
              role: "user",
              content: [
                { type: "text", text: "What is this?" },
                { type: "image", source: { type: "base64", media_type: "image/png", data: png } },
              ],
            },
          ],
        })
      ).content,
    ),
  error: (url, model) =>
    failing(() =>
      anthropic(url).messages.create({ model, max_tokens: 500, messages: [{ role: "user", content: "[[fail 429]]" }] }),
    ),
  abort: async (url, model, prompt) => {
    const stream = await anthropic(url).messages.create({
      model,
      max_tokens: 500,
      stream: true,
      messages: [{ role: "user", content: prompt }],
    });
    for await (const event of stream) if (event.type === "content_block_delta") break;
  },
};

const genai = (url: string): GoogleGenAI =>
  new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url, retryOptions: { attempts: 1 } } });

const googleGenai: Client = {
  name: "@google/genai",
  reasoning: async (url, model, prompt) => {
    const chat = genai(url).chats.create({
      model,
      config: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } },
    });
    const first = await chat.sendMessage({ message: prompt });
    const thought = (first.candidates?.[0]?.content?.parts ?? [])
      .map((part) => (part.thought === true ? (part.text ?? "") : ""))
      .join("");
    return { thought, text: (await chat.sendMessage({ message: "go on" })).text ?? "" };
  },
  plain: async (url, model, prompt) =>
    (await genai(url).models.generateContent({ model, contents: prompt })).text ?? "",
  stream: async (url, model, prompt) => {
    const pieces: string[] = [];
    for await (const chunk of await genai(url).models.generateContentStream({ model, contents: prompt }))
      if (chunk.text) pieces.push(chunk.text);
    return pieces;
  },
  tools: async (url, model, prompt) => {
    const contents: NonNullable<Parameters<GoogleGenAI["models"]["generateContent"]>[0]["contents"]> & object[] = [
      { role: "user", parts: [{ text: prompt }] },
    ] as never;
    const called: string[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      const answer = await genai(url).models.generateContent({
        model,
        contents,
        config: {
          tools: [
            {
              functionDeclarations: tools.map(({ name, description }) => ({
                name,
                description,
                parametersJsonSchema: weatherSchema,
              })),
            },
          ],
          toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } },
        },
      });
      const content = answer.candidates?.[0]?.content;
      if (content !== undefined) (contents as object[]).push(content);
      const calls = answer.functionCalls ?? [];
      if (calls.length === 0) return { called, text: answer.text ?? "" };
      called.push(...calls.map((call) => call.name ?? ""));
      (contents as object[]).push({
        role: "user",
        parts: calls.map((call) => ({
          functionResponse: {
            ...(call.id === undefined ? {} : { id: call.id }),
            name: call.name,
            response: { output: toolAnswer },
          },
        })),
      });
    }
    return { called, text: "" };
  },
  structured: async (url, model) =>
    JSON.parse(
      (
        await genai(url).models.generateContent({
          model,
          contents: "A book.",
          config: { responseMimeType: "application/json", responseJsonSchema: bookSchema },
        })
      ).text ?? "",
    ),
  image: async (url, model) =>
    (
      await genai(url).models.generateContent({
        model,
        contents: [
          { role: "user", parts: [{ text: "What is this?" }, { inlineData: { mimeType: "image/png", data: png } }] },
        ],
      })
    ).text ?? "",
  error: (url, model) => failing(() => genai(url).models.generateContent({ model, contents: "[[fail 429]]" })),
  abort: async (url, model, prompt) => {
    const aborter = new AbortController();
    try {
      const config = { abortSignal: aborter.signal };
      for await (const chunk of await genai(url).models.generateContentStream({ model, contents: prompt, config }))
        if (chunk.text) aborter.abort();
    } catch (error) {
      if (!aborter.signal.aborted) throw error;
    }
  },
};

const legacy = (url: string, model: string, options: object = {}) =>
  new GoogleGenerativeAI(key).getGenerativeModel({ model: `models/${model}`, ...options }, { baseUrl: url });

const googleLegacy: Client = {
  name: "@google/generative-ai",
  plain: async (url, model, prompt) => (await legacy(url, model).generateContent(prompt)).response.text(),
  stream: async (url, model, prompt) => {
    const pieces: string[] = [];
    const { stream } = await legacy(url, model).generateContentStream(prompt);
    for await (const chunk of stream) if (chunk.text() !== "") pieces.push(chunk.text());
    return pieces;
  },
  tools: async (url, model, prompt) => {
    const chat = legacy(url, model, {
      tools: [
        {
          functionDeclarations: tools.map(({ name, description }) => ({
            name,
            description,
            parameters: { type: "OBJECT", properties: { city: { type: "STRING" } }, required: ["city"] },
          })),
        },
      ],
    }).startChat();
    const called: string[] = [];
    let answer = (await chat.sendMessage(prompt)).response;
    for (let turn = 0; turn < 4; turn += 1) {
      const calls = answer.functionCalls() ?? [];
      if (calls.length === 0) return { called, text: answer.text() };
      called.push(...calls.map((call) => call.name));
      answer = (
        await chat.sendMessage(
          calls.map((call) => ({ functionResponse: { name: call.name, response: { output: toolAnswer } } })),
        )
      ).response;
    }
    return { called, text: "" };
  },
  structured: async (url, model) =>
    JSON.parse(
      (
        await legacy(url, model, {
          generationConfig: {
            responseMimeType: "application/json",
            responseSchema: {
              type: "object",
              properties: { title: { type: "string" }, pages: { type: "integer" } },
              required: ["title", "pages"],
            },
          },
        }).generateContent("A book.")
      ).response.text(),
    ),
  image: async (url, model) =>
    (
      await legacy(url, model).generateContent(["What is this?", { inlineData: { mimeType: "image/png", data: png } }])
    ).response.text(),
  error: (url, model) => failing(() => legacy(url, model).generateContent("[[fail 429]]")),
  abort: async (url, model, prompt) => {
    const aborter = new AbortController();
    const { stream, response } = await legacy(url, model).generateContentStream(prompt, { signal: aborter.signal });
    // It reads the same stream a second time, and that reading fails too.
    response.catch(() => undefined);
    try {
      for await (const chunk of stream) if (chunk.text() !== "") aborter.abort();
    } catch (error) {
      if (!aborter.signal.aborted) throw error;
    }
  },
};

const vercel = (name: string, modelOf: (url: string, model: string) => LanguageModel, options?: object): Client => ({
  name: `vercel ai, ${name}`,
  ...(options === undefined
    ? {}
    : {
        reasoning: async (url, model, prompt) => {
          const common = { model: modelOf(url, model), maxRetries: 0, providerOptions: options as never };
          const first = await generateText({ ...common, prompt });
          const next = await generateText({
            ...common,
            messages: [
              { role: "user", content: prompt },
              ...first.response.messages,
              { role: "user", content: "go on" },
            ],
          });
          return { thought: first.reasoningText ?? "", text: next.text };
        },
      }),
  plain: async (url, model, prompt) => (await generateText({ model: modelOf(url, model), prompt, maxRetries: 0 })).text,
  stream: async (url, model, prompt) => {
    const pieces: string[] = [];
    for await (const piece of streamText({ model: modelOf(url, model), prompt, maxRetries: 0 }).textStream)
      pieces.push(piece);
    return pieces;
  },
  tools: async (url, model, prompt) => {
    const called: string[] = [];
    const result = streamText({
      model: modelOf(url, model),
      prompt,
      maxRetries: 0,
      stopWhen: stepCountIs(4),
      tools: Object.fromEntries(
        tools.map(({ name: toolName, description }) => [
          toolName,
          tool({
            description,
            inputSchema: jsonSchema<{ city: string }>(weatherSchema as never),
            execute: () => {
              called.push(toolName);
              return Promise.resolve(toolAnswer);
            },
          }),
        ]),
      ),
    });
    return { text: await result.text, called };
  },
  structured: async (url, model) =>
    (
      await generateObject({
        model: modelOf(url, model),
        prompt: "A book.",
        schema: jsonSchema(bookSchema as never),
        maxRetries: 0,
      })
    ).object,
  image: async (url, model) =>
    (
      await generateText({
        model: modelOf(url, model),
        maxRetries: 0,
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "What is this?" },
              { type: "image", image: png, mediaType: "image/png" },
            ],
          },
        ],
      })
    ).text,
  error: (url, model) =>
    failing(() => generateText({ model: modelOf(url, model), prompt: "[[fail 429]]", maxRetries: 0 })),
  abort: async (url, model, prompt) => {
    const aborter = new AbortController();
    try {
      for await (const piece of streamText({
        model: modelOf(url, model),
        prompt,
        maxRetries: 0,
        abortSignal: aborter.signal,
        onError: () => undefined,
      }).textStream)
        if (piece !== "") aborter.abort();
    } catch (error) {
      if (!aborter.signal.aborted) throw error;
    }
  },
});

const langchain = (
  name: string,
  modelOf: (url: string, model: string) => BaseChatModel,
  thoughtOf: (message: AIMessage) => string,
  more: Partial<Client> = {},
): Client => ({
  ...more,
  name: `langchain, ${name}`,
  reasoning: async (url, model, prompt) => {
    const first = (await modelOf(url, model).invoke(prompt)) as AIMessage;
    const next = await modelOf(url, model).invoke([new HumanMessage(prompt), first, new HumanMessage("go on")]);
    return { thought: thoughtOf(first), text: next.text };
  },
  plain: async (url, model, prompt) => (await modelOf(url, model).invoke(prompt)).text,
  stream: async (url, model, prompt) => {
    const pieces: string[] = [];
    for await (const chunk of await modelOf(url, model).stream(prompt)) if (chunk.text !== "") pieces.push(chunk.text);
    return pieces;
  },
  tools: async (url, model, prompt) => {
    const chat = modelOf(url, model).bindTools!(tools.map((one) => ({ type: "function", function: one })));
    const messages: (HumanMessage | AIMessage | ToolMessage)[] = [new HumanMessage(prompt)];
    const called: string[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      const answer = (await chat.invoke(messages)) as AIMessage;
      messages.push(answer);
      if (!answer.tool_calls?.length) return { called, text: answer.text };
      for (const call of answer.tool_calls) {
        called.push(call.name);
        messages.push(new ToolMessage({ content: toolAnswer, tool_call_id: call.id ?? "", name: call.name }));
      }
    }
    return { called, text: "" };
  },
  structured: (url, model) =>
    modelOf(url, model)
      .withStructuredOutput({ title: "book", ...bookSchema })
      .invoke("A book."),
  image: async (url, model) =>
    (
      await modelOf(url, model).invoke([
        new HumanMessage({
          content: [
            { type: "text", text: "What is this?" },
            { type: "image_url", image_url: { url: `data:image/png;base64,${png}` } },
          ],
        }),
      ])
    ).text,
  error: (url, model) => failing(() => modelOf(url, model).invoke("[[fail 429]]")),
  abort: async (url, model, prompt) => {
    const aborter = new AbortController();
    try {
      for await (const chunk of await modelOf(url, model).stream(prompt, { signal: aborter.signal }))
        if (chunk.text !== "") aborter.abort();
    } catch (error) {
      if (!aborter.signal.aborted) throw error;
    }
  },
});

const blocks = (message: AIMessage): Record<string, unknown>[] =>
  Array.isArray(message.content) ? message.content : [];

export const clients: readonly Client[] = [
  openaiChat,
  openaiResponses,
  anthropicSdk,
  googleGenai,
  googleLegacy,
  vercel("openai responses", (url, model) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).responses(model), {
    openai: { store: false, forceReasoning: true, reasoningEffort: "low", reasoningSummary: "auto" },
  }),
  // Its chat models read no reasoning at all.
  vercel("openai chat", (url, model) => createOpenAI({ baseURL: `${url}/v1`, apiKey: key }).chat(model)),
  vercel("anthropic", (url, model) => createAnthropic({ baseURL: `${url}/v1`, apiKey: key })(model), {
    anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } },
  }),
  vercel("google", (url, model) => createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: key })(model), {
    google: { thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 } },
  }),
  langchain(
    "openai",
    (url, model) => new ChatOpenAI({ model, apiKey: key, maxRetries: 0, configuration: { baseURL: `${url}/v1` } }),
    (message) => (message.additional_kwargs["reasoning_content"] as string | undefined) ?? "",
  ),
  langchain(
    "anthropic",
    (url, model) => new ChatAnthropic({ model, apiKey: key, maxRetries: 0, anthropicApiUrl: url }),
    (message) =>
      blocks(message)
        .map((block) => (block["type"] === "thinking" ? block["thinking"] : ""))
        .join(""),
  ),
  langchain(
    "google",
    (url, model) => new ChatGoogleGenerativeAI({ model, apiKey: key, maxRetries: 0, baseUrl: url }),
    (message) =>
      blocks(message)
        .map((block) => (block["type"] === "thinking" ? block["thinking"] : ""))
        .join(""),
    // It sends images to names that it takes for multimodal ones.
    { nameOf: (model) => `gemini-2.5-for-${model.replace("/", "-")}` },
  ),
];
