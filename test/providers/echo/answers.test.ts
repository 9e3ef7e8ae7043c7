// What echo says: words, tools and their results, structured output, limits, usage; the same for the same request.
import { expect, test } from "vitest";
import { chat, choiceOf, textOf, user } from "./support.ts";
import { misfits } from "./validate.ts";

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer", minimum: 2 } },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
};
const time = { type: "function", function: { name: "get_time", parameters: { type: "object", properties: {} } } };
const question = user("What is the weather in Oslo today?");

test("says what was said, and who it is", async () => {
  const answer = await chat({ messages: [{ role: "system", content: "be brief" }, user("Hello, you")] });
  expect(textOf(answer)).toBe("You said: Hello, you. I am echo, the built-in stand-in model of Heddle.");
  expect(choiceOf(answer).finish_reason).toBe("stop");
});

test("the last turn of the user is the one that is answered", async () => {
  const answer = await chat({
    messages: [user("first"), { role: "assistant", content: "yes" }, user([{ type: "text", text: "second" }])],
  });
  expect(textOf(answer)).toContain("You said: second.");
});

test("pictures, documents and sound are described", async () => {
  const answer = await chat({
    messages: [
      user([
        { type: "text", text: "look" },
        { type: "image_url", image_url: { url: "data:image/png;base64,AAAAAAAA" } },
        { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
      ]),
    ],
  });
  expect(textOf(answer)).toMatch(/look \[image image\/png, 6 bytes\] \[audio audio\/\S*wav, 3 bytes\]/);
});

test("the same request has the same answer, but for its id", async () => {
  const request = { messages: [question], tools: [weather] };
  const [{ id: firstId, ...first }, { id: secondId, ...second }] = [
    (await chat(request)).body,
    (await chat(request)).body,
  ];
  expect(first).toEqual(second);
  expect(firstId).toBe(secondId);
});

test("a tool loop: it calls with arguments that fit, then uses the result", async () => {
  const asked = choiceOf(await chat({ messages: [question], tools: [weather, time] }));
  expect(asked.finish_reason).toBe("tool_calls");
  const [call, ...others] = asked.message.tool_calls ?? [];
  expect(others).toEqual([]);
  expect(call).toMatchObject({ type: "function", function: { name: "get_weather" } });
  const given: unknown = JSON.parse(call!.function.arguments);
  expect(given).toEqual({ city: "Oslo", days: 2 });
  expect(misfits(weather.function.parameters, given)).toEqual([]);

  const answered = await chat({
    messages: [
      question,
      { role: "assistant", ...asked.message },
      { role: "tool", tool_call_id: call!.id, content: "12 degrees and rain" },
    ],
    tools: [weather, time],
  });
  expect(choiceOf(answered)).toMatchObject({ finish_reason: "stop" });
  expect(textOf(answered)).toContain("12 degrees and rain");
});

test("the same question later in a conversation is another call, with an id of its own", async () => {
  const first = choiceOf(await chat({ messages: [question], tools: [weather] })).message.tool_calls?.[0]?.id;
  const later = [question, { role: "assistant", content: "rain" }, question];
  const second = choiceOf(await chat({ messages: later, tools: [weather] })).message.tool_calls?.[0]?.id;
  expect(first).toMatch(/^call_/);
  expect(second).toMatch(/^call_/);
  expect(second).not.toBe(first);
});

test("parallel calls where the prompt says so, each with its id, and none where they are forbidden", async () => {
  const request = { messages: [user("Call them in parallel")], tools: [weather, time] };
  const calls = choiceOf(await chat(request)).message.tool_calls ?? [];
  expect(calls.map((call) => call.function.name)).toEqual(["get_weather", "get_time"]);
  expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
  expect(choiceOf(await chat({ ...request, parallel_tool_calls: false })).message.tool_calls).toHaveLength(1);
});

test.each([
  ["none", "none", undefined],
  ["required", "required", "get_weather"],
  ["a named one", { type: "function", function: { name: "get_time" } }, "get_time"],
  [
    "a subset",
    {
      type: "allowed_tools",
      allowed_tools: { mode: "auto", tools: [{ type: "function", function: { name: "get_time" } }] },
    },
    "get_time",
  ],
])("the choice of tools is kept: %s", async (_what, toolChoice, expected) => {
  const { message } = choiceOf(await chat({ messages: [question], tools: [weather, time], tool_choice: toolChoice }));
  expect(message.tool_calls?.[0]?.function.name).toBe(expected);
});

test("a tool named in the prompt or by a header is the one that is called", async () => {
  const request = { tools: [weather, time] };
  const byPrompt = await chat({ ...request, messages: [user("go [[tool get_time]]")] });
  const byHeader = await chat({ ...request, messages: [question] }, { "x-echo-tool": "get_time" });
  for (const answer of [byPrompt, byHeader])
    expect(choiceOf(answer).message.tool_calls?.[0]?.function.name).toBe("get_time");
});

test("structured output is an instance of its schema, JSON mode an object", async () => {
  const schema = {
    type: "object",
    properties: {
      title: { type: "string", minLength: 3 },
      year: { type: "integer", minimum: 1900 },
      tags: { type: "array", items: { enum: ["a", "b"] }, minItems: 2 },
    },
    required: ["title", "year", "tags"],
    additionalProperties: false,
  };
  const structured = await chat({
    messages: [user("a book")],
    response_format: { type: "json_schema", json_schema: { name: "book", schema, strict: true } },
  });
  expect(misfits(schema, JSON.parse(textOf(structured)))).toEqual([]);
  const json = await chat({ messages: [user("as JSON")], response_format: { type: "json_object" } });
  expect(JSON.parse(textOf(json))).toEqual({ echo: "as JSON" });
});

test("limits end the answer, and stop sequences do before they are said", async () => {
  const limited = await chat({ messages: [user("one two three four five six seven")], max_completion_tokens: 4 });
  expect(choiceOf(limited).finish_reason).toBe("length");
  expect(textOf(limited).length).toBeLessThanOrEqual(16);
  expect(limited.body["usage"]).toMatchObject({ completion_tokens: 4 });
  const stopped = await chat({ messages: [user("one two three")], stop: ["three", " two"] });
  expect(textOf(stopped)).toBe("You said: one");
  expect(choiceOf(stopped).finish_reason).toBe("stop");
});

test("usage counts four characters a token, tools among the input", async () => {
  const bare = (await chat({ messages: [user("x".repeat(400))] })).body["usage"];
  expect(bare).toMatchObject({ prompt_tokens: 103 });
  const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = bare as Record<string, number>;
  expect(total).toBe(input! + output!);
  const tooled = (await chat({ messages: [user("x".repeat(400))], tools: [weather] })).body["usage"] as Record<
    string,
    number
  >;
  expect(tooled["prompt_tokens"]).toBeGreaterThan(input!);
});

test("reasoning comes first where it is asked for, and is counted", async () => {
  const answer = await chat({ messages: [user("think")], reasoning_effort: "high" });
  expect(
    (answer.body["usage"] as { completion_tokens_details?: { reasoning_tokens?: number } }).completion_tokens_details
      ?.reasoning_tokens,
  ).toBeGreaterThan(0);
  expect(textOf(answer)).toContain("You said: think");
});

test("what it can't do is refused in the wire's words", async () => {
  const answer = await chat({ messages: "no list" });
  expect(answer.status).toBe(400);
  expect(answer.body).toHaveProperty("error.message");
});
