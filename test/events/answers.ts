// What a gateway without any key answers to the events, whatever the cloud.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataFolder } from "../support/data.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";

/** An event as the call that it stands for. `path` with its query. */
export type Sent = { method: string; path: string; headers: Record<string, string>; body?: string | Uint8Array };

/** `streams`: events by name, each with what its stream holds at its end. `from`: as the event of the new thread says. */
export const testAnswers = (
  sentOf: (name: string) => Sent,
  { streams, from }: { streams: readonly [string, string][]; from: string },
): void => {
  describe("a gateway without any key answers them", () => {
    const data = dataFolder();
    let gateway: TestGateway;
    beforeAll(async () => {
      gateway = await startGateway("", { HEDDLE_DATA: data.path });
    });
    afterAll(async () => {
      await gateway.stop();
      data.remove();
    });
    const send = (name: string): Promise<Response> => {
      const { path, ...init } = sentOf(name);
      return fetch(`${gateway.url}${path}`, init);
    };

    test.each(streams)("%s, as a stream to its end", async (name, end) => {
      const response = await send(name);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toContain("text/event-stream");
      const text = await response.text();
      expect(text).toContain("Hello");
      expect(text).toContain(end);
    });

    test("threads, with a new thread", async () => {
      const response = await send("threads");
      expect(response.status).toBe(201);
      expect(await response.json()).toMatchObject({ title: "Hello", metadata: { from } });
    });

    test("health", async () => {
      const response = await send("health");
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ status: "ok", service: "heddle" });
    });
  });
};

/** The families that both clouds have an event of. */
export const streamEnds: readonly [string, string][] = [
  ["chat", "data: [DONE]"],
  ["messages", "event: message_stop"],
  ["responses", "event: response.completed"],
  ["gemini", '"finishReason"'],
];
