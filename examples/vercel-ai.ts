// The Vercel AI SDK: one program, three of its providers, one gateway.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { streamText } from "ai";
import { apiKey, model, print, url } from "./settings.ts";

const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey });
const anthropic = createAnthropic({ baseURL: `${url}/v1`, apiKey });
const google = createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey });

for (const [name, languageModel] of [
  ["OpenAI Responses", openai.responses(model)],
  ["OpenAI Chat", openai.chat(model)],
  ["Anthropic", anthropic(model)],
  ["Google", google(model)],
] as const) {
  print(`${name}: `);
  const { textStream } = streamText({ model: languageModel, prompt: "What is a heddle?" });
  for await (const text of textStream) print(text);
  print("\n");
}
