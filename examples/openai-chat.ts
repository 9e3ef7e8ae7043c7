// The OpenAI SDK, Chat Completions, token by token.
import OpenAI from "openai";
import { apiKey, model, print, url } from "./settings.ts";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey });
const stream = await client.chat.completions.create({
  model,
  stream: true,
  stream_options: { include_usage: true },
  messages: [
    { role: "system", content: "You are brief." },
    { role: "user", content: "What is a heddle?" },
  ],
});
for await (const chunk of stream) {
  print(chunk.choices[0]?.delta.content ?? "");
  if (chunk.usage) print(`\n[${chunk.usage.prompt_tokens} tokens in, ${chunk.usage.completion_tokens} out]\n`);
}
