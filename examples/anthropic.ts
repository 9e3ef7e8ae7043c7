// The Anthropic SDK: a stream, then a tool loop by hand.
import Anthropic from "@anthropic-ai/sdk";
import { apiKey, model, print, url } from "./settings.ts";

const client = new Anthropic({ baseURL: url, apiKey });

const stream = client.messages.stream({
  model,
  max_tokens: 500,
  messages: [{ role: "user", content: "What is a heddle?" }],
});
stream.on("text", print);
const message = await stream.finalMessage();
print(`\n[${message.stop_reason}, ${message.usage.output_tokens} tokens out]\n`);

const messages: Anthropic.MessageParam[] = [{ role: "user", content: "What is the weather in Helsinki?" }];
for (let turn = 0; turn < 5; turn += 1) {
  const answer = await client.messages.create({
    model,
    max_tokens: 500,
    messages,
    tools: [
      {
        name: "get_weather",
        description: "The weather in a city, now.",
        input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      },
    ],
  });
  messages.push({ role: "assistant", content: answer.content });
  if (answer.stop_reason !== "tool_use") {
    for (const block of answer.content) if (block.type === "text") print(`${block.text}\n`);
    break;
  }
  const results: Anthropic.ToolResultBlockParam[] = [];
  for (const block of answer.content) {
    if (block.type !== "tool_use") continue;
    print(`[calls ${block.name}(${JSON.stringify(block.input)})]\n`);
    results.push({ type: "tool_result", tool_use_id: block.id, content: "21 °C, clear sky" });
  }
  messages.push({ role: "user", content: results });
}
