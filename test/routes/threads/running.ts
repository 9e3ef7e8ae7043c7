// Runs on echo, for the tests of the threads API.
import { expect } from "vitest";
import { type Answer, type Body, type Client, eventually, type Frame } from "./client.ts";

export const model = "echo/echo";
export const weather = {
  name: "weather",
  description: "The weather of a place.",
  parameters: { type: "object", properties: { place: { type: "string" } }, required: ["place"] },
};
export const run = (client: Client, thread: string, body: Body, headers?: Record<string, string>): Promise<Answer> =>
  client.post(`/${thread}/runs`, { model, ...body }, headers);
export const typesOf = (frames: readonly Frame[]): string[] => frames.map(({ event }) => event);
export const textOf = (frames: readonly Frame[]): string =>
  frames
    .map(({ event, data }) => (event === "part-delta" ? ((data["delta"] as { text?: string }).text ?? "") : ""))
    .join("");
export const ended = (client: Client, thread: string, id: string): Promise<Answer> =>
  eventually(
    () => client.get(`/${thread}/runs/${id}`),
    ({ body }) => !["queued", "in_progress"].includes(String(body["status"])),
  );
/** A run that says three words and then nothing until it is stopped. */
export const stuck = async (
  client: Client,
  thread: string,
  more: Body = {},
): Promise<{ id: string; response: Response }> => {
  const response = await client.send("POST", `/${thread}/runs`, {
    model,
    input: "one two three four five [[stall-after 3]]",
    stream: true,
    ...more,
  });
  expect(response.status).toBe(200);
  return { id: response.headers.get("heddle-run") ?? "", response };
};
