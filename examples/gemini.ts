// Google's SDK, streamed.
import { GoogleGenAI } from "@google/genai";
import { apiKey, model, print, url } from "./settings.ts";

const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } });
const stream = await client.models.generateContentStream({ model, contents: "What is a heddle?" });
for await (const chunk of stream) print(chunk.text ?? "");
print("\n");
