// LangChain: three of its chat models, one gateway.
import { ChatAnthropic } from "@langchain/anthropic";
import { ChatGoogleGenerativeAI } from "@langchain/google-genai";
import { ChatOpenAI } from "@langchain/openai";
import { apiKey, model, print, url } from "./settings.ts";

for (const [name, chat] of [
  ["OpenAI", new ChatOpenAI({ model, apiKey, configuration: { baseURL: `${url}/v1` } })],
  ["Anthropic", new ChatAnthropic({ model, apiKey, anthropicApiUrl: url })],
  ["Google", new ChatGoogleGenerativeAI({ model, apiKey, baseUrl: url })],
] as const) {
  print(`${name}: `);
  for await (const chunk of await chat.stream("What is a heddle?")) print(chunk.text);
  print("\n");
}
