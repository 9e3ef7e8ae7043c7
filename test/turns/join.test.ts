// `heddle-thread` on every chat route: one conversation, whatever wire and provider each turn is on.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientWireIds } from "../../lib/model/wire-id.ts";
import { dataFolder } from "../support/data.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { rawWires } from "../support/wires.ts";

const data = dataFolder();
let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startGateway("providers: { echo: { kind: echo, pace: 0 } }", { HEDDLE_DATA: data.path });
});
afterAll(async () => {
  await gateway.stop();
  data.remove();
});

describe.each(clientWireIds)("on %s", (wire) => {
  test.each([true, false])("a thread is made and joined again, streamed: %s", async (stream) => {
    const raw = rawWires[wire];
    const say = (thread: string, text: string): Promise<Response> =>
      fetch(gateway.url + raw.path("echo/echo", stream), {
        method: "POST",
        headers: { "content-type": "application/json", "heddle-thread": thread, ...raw.headers },
        body: JSON.stringify(raw.body("echo/echo", stream, text)),
      });
    const first = await say("new", "My name is Ada.");
    expect(first.status, await first.clone().text()).toBe(200);
    const thread = first.headers.get("heddle-thread") ?? "";
    expect(thread).toMatch(/^thread_[A-Za-z0-9]{24}$/);
    expect(first.headers.get("heddle-run")).toMatch(/^run_/);
    await first.text();
    const second = await say(thread, "And who am I?");
    expect(second.status, await second.clone().text()).toBe(200);
    expect(second.headers.get("heddle-thread")).toBe(thread);
    await second.text();
    const unknown = await say("thread_nobody", "hello");
    expect(unknown.status).toBe(404);
    raw.envelope(await unknown.json());
  });
});
