// The OpenAI SDK, Responses: a stream, then an answer that must fit a JSON schema.
import OpenAI from "openai";
import { apiKey, model, print, url } from "./settings.ts";

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey });

const stream = client.responses.stream({ model, input: "What is a heddle?" });
stream.on("response.output_text.delta", (event) => print(event.delta));
const answer = await stream.finalResponse();
print(`\n[${answer.status}, ${answer.usage?.total_tokens} tokens]\n`);

const structured = await client.responses.create({
  model,
  input: "Describe a loom.",
  text: {
    format: {
      type: "json_schema",
      name: "loom",
      strict: true,
      schema: {
        type: "object",
        properties: { name: { type: "string" }, shafts: { type: "integer", minimum: 2 } },
        required: ["name", "shafts"],
        additionalProperties: false,
      },
    },
  },
});
print(`${JSON.stringify(JSON.parse(structured.output_text))}\n`);
