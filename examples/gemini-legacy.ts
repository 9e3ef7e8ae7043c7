// Google's earlier SDK, streamed.
import { GoogleGenerativeAI } from "@google/generative-ai";
import { apiKey, model, print, url } from "./settings.ts";

const client = new GoogleGenerativeAI(apiKey);
const { stream } = await client
  .getGenerativeModel({ model: `models/${model}` }, { baseUrl: url })
  .generateContentStream("What is a heddle?");
for await (const chunk of stream) print(chunk.text());
print("\n");
