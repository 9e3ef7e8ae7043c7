// A tool loop by hand: the model calls, this program answers, until the model has what it needs.
import OpenAI from "openai";
import { apiKey, model, print, url } from "./settings.ts";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey });

const tools: OpenAI.Chat.Completions.ChatCompletionTool[] = [
  {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather in a city, now.",
      parameters: {
        type: "object",
        properties: { city: { type: "string" }, unit: { type: "string", enum: ["celsius", "fahrenheit"] } },
        required: ["city"],
      },
    },
  },
];
const getWeather = (argumentsText: string): string => {
  const { city } = JSON.parse(argumentsText) as { city: string };
  return JSON.stringify({ city, temperature: 21, sky: "clear" });
};

const messages: OpenAI.Chat.Completions.ChatCompletionMessageParam[] = [
  { role: "user", content: "What is the weather in Helsinki?" },
];
for (let turn = 0; turn < 5; turn += 1) {
  const completion = await client.chat.completions.create({ model, messages, tools });
  const message = completion.choices[0]?.message;
  if (message === undefined) throw new Error("no answer");
  messages.push(message);
  if (!message.tool_calls?.length) {
    print(`${message.content}\n`);
    break;
  }
  for (const call of message.tool_calls) {
    if (call.type !== "function") continue;
    print(`[calls ${call.function.name}(${call.function.arguments})]\n`);
    messages.push({ role: "tool", tool_call_id: call.id, content: getWeather(call.function.arguments) });
  }
}
