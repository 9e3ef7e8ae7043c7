// The official SDKs, one a wire: an answer, a stream, and an error that is of the SDK's own class.
import Anthropic from "@anthropic-ai/sdk";
import { ApiError, GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { expect } from "vitest";
import { type Case, key } from "../platform.ts";

const model = "echo/echo";
const prompt = "warp and weft";
const fails = "no [[fail 429]]";

export const sdks = (): readonly Case[] => [
  {
    name: "openai, chat",
    run: async ({ url }) => {
      const { completions } = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 }).chat;
      const asked = (content: string) => ({ model, messages: [{ role: "user" as const, content }] });
      expect((await completions.create(asked(prompt))).choices[0]?.message.content).toContain("weft");
      let text = "";
      for await (const chunk of await completions.create({ ...asked(prompt), stream: true }))
        text += chunk.choices[0]?.delta.content ?? "";
      expect(text).toContain("weft");
      await expect(completions.create(asked(fails))).rejects.toBeInstanceOf(OpenAI.RateLimitError);
    },
  },
  {
    name: "openai, responses",
    run: async ({ url }) => {
      const { responses } = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
      const asked = (input: string) => ({ model, input, store: false });
      expect((await responses.create(asked(prompt))).output_text).toContain("weft");
      let text = "";
      for await (const event of await responses.create({ ...asked(prompt), stream: true }))
        if (event.type === "response.output_text.delta") text += event.delta;
      expect(text).toContain("weft");
      await expect(responses.create(asked(fails))).rejects.toBeInstanceOf(OpenAI.RateLimitError);
    },
  },
  {
    name: "@anthropic-ai/sdk",
    run: async ({ url }) => {
      const { messages } = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
      const asked = (content: string) => ({ model, max_tokens: 100, messages: [{ role: "user" as const, content }] });
      expect(JSON.stringify((await messages.create(asked(prompt))).content)).toContain("weft");
      const stream = messages.stream(asked(prompt));
      expect(await stream.finalText()).toContain("weft");
      await expect(messages.create(asked(fails))).rejects.toBeInstanceOf(Anthropic.RateLimitError);
    },
  },
  {
    name: "@google/genai",
    run: async ({ url }) => {
      const { models } = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } });
      const asked = (contents: string) => ({ model, contents });
      expect((await models.generateContent(asked(prompt))).text).toContain("weft");
      let text = "";
      for await (const chunk of await models.generateContentStream(asked(prompt))) text += chunk.text ?? "";
      expect(text).toContain("weft");
      await expect(models.generateContent(asked(fails))).rejects.toBeInstanceOf(ApiError);
    },
  },
];
