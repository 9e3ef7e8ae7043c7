// A run's stream, cut at any event and taken up again in another process, is the stream that was never cut: to the byte, on every wire.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClientWireId, clientWireIds } from "../../lib/model/wire-id.ts";
import type { Part } from "../../lib/model/message.ts";
import { endTurn } from "../../lib/threads/end-turn.ts";
import { createEventWriter } from "../../lib/threads/event-log.ts";
import type { NumberedEvent } from "../../lib/threads/hub.ts";
import { resumeTurn } from "../../lib/threads/resume-turn.ts";
import { getRun, runEvents } from "../../lib/threads/runs.ts";
import { type EncodedRun, encodeRun } from "../../lib/turns/encode.ts";
import { clientWires } from "../../lib/wires/index.ts";
import { bodyOf, recordings } from "../recorded.ts";
import { dataFolder } from "../support/data.ts";
import { type Answer, startGateway, startUpstream, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { providerOf, providersYaml, rawWires } from "../support/wires.ts";
import { prefixes } from "../support/prefixes.ts";
import { type Elsewhere, open, openElsewhere } from "../support/stored.ts";
import { framesOn, makerOf, scripts } from "./scripts.ts";

const data = dataFolder();
let upstream: TestUpstream;
let gateway: TestGateway;
let elsewhere: Elsewhere;
beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startGateway(providersYaml(upstream.url), { HEDDLE_DATA: data.path }, (config) => {
    config.retry.attempts = 1;
  });
});
afterAll(async () => {
  await elsewhere.close();
  await gateway.stop();
  await upstream.stop();
  data.remove();
});

type Asked = { thread: string; run: string; response: Response };

const ask = async (wire: ClientWireId, provider: ClientWireId, array = false): Promise<Asked> => {
  const raw = rawWires[wire];
  const model = `${providerOf[provider]}/up`;
  const path = raw.path(model, true);
  const response = await fetch(gateway.url + (array ? path.replace("?alt=sse", "") : path), {
    method: "POST",
    headers: { "content-type": "application/json", "heddle-thread": "new", ...raw.headers },
    body: JSON.stringify(raw.body(model, true)),
  });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  elsewhere ??= await openElsewhere(data.path);
  return {
    thread: response.headers.get("heddle-thread") ?? "",
    run: response.headers.get("heddle-run") ?? "",
    response,
  };
};

const encodedOn = async (asked: Asked, wire: ClientWireId): Promise<EncodedRun> => {
  const run = await getRun(elsewhere.store, open, asked.thread, asked.run);
  return { run, spec: await elsewhere.turns.spec(open.space, run), wire: clientWires[wire] };
};

const replay = async (encoded: EncodedRun, after?: number): Promise<string> => {
  let text = "";
  for await (const frame of encodeRun(elsewhere.store, open, encoded, after === undefined ? {} : { after }))
    text += frame;
  return text;
};

/** Cut at every event and resumed elsewhere, on this wire; `live` is what a client that was never cut got, where one asked on it. */
const expectEverySeam = async (asked: Asked, wire: ClientWireId, live: string | undefined): Promise<void> => {
  const encoded = await encodedOn(asked, wire);
  const events: NumberedEvent[] = [];
  for await (const event of runEvents(elsewhere.store, open, asked.thread, asked.run)) events.push(event);
  expect(events.map(({ n }) => n)).toEqual(events.map((_, at) => at + 1));
  const whole = await replay(encoded);
  expect(whole).not.toBe("");
  if (live !== undefined) expect(whole).toBe(live);
  const had = prefixes(encoded, events);
  for (let n = 0; n < events.length; n += 1)
    expect(`${had[n]}${await replay(encoded, n)}`, `${wire}, cut after event ${n} of ${events.length}`).toBe(whole);
  expect(await replay(encoded, events.length)).toBe("");
};

const says = (said: readonly string[]): Answer =>
  function answer(_request, response) {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const frame of said) response.write(frame);
    response.end();
  };

const after = (wire: ClientWireId, steps: number): ClientWireId =>
  clientWireIds[(clientWireIds.indexOf(wire) + steps) % clientWireIds.length] ?? wire;

describe.each(clientWireIds)("a run asked on %s", (wire) => {
  describe.each(Object.keys(scripts))("%s", (name) => {
    // The provider's wire is the client's, and another one.
    test.each([wire, after(wire, 1 + (Object.keys(scripts).indexOf(name) % 3))])(
      "said by a provider of %s: cut anywhere, resumed elsewhere, on every wire",
      async (provider) => {
        upstream.answer(says(framesOn(provider, scripts[name]?.(makerOf[provider]) ?? [])));
        const asked = await ask(wire, provider);
        const live = await asked.response.text();
        for (const other of clientWireIds) await expectEverySeam(asked, other, other === wire ? live : undefined);
      },
    );
  });

  test("while it still goes: a reader elsewhere follows it to its end, from anywhere", async () => {
    const go = Promise.withResolvers<void>();
    const frames = framesOn(wire, scripts["parallel tool calls"]?.(makerOf[wire]) ?? []);
    upstream.answer(async (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const frame of frames.slice(0, 3)) response.write(frame);
      await go.promise;
      for (const frame of frames.slice(3)) {
        response.write(frame);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      response.end();
    });
    const asked = await ask(wire, wire);
    const encoded = await encodedOn(asked, wire);
    expect(encoded.run.state).toBe("in_progress");
    const readers = [undefined, 0, 1, 2, 4].map((n) => replay(encoded, n));
    go.resolve();
    const live = await asked.response.text();
    const events: NumberedEvent[] = [];
    for await (const event of runEvents(elsewhere.store, open, asked.thread, asked.run)) events.push(event);
    const had = prefixes(encoded, events);
    const followed = await Promise.all(readers);
    expect(followed[0]).toBe(live);
    [0, 1, 2, 4].forEach((n, at) => expect(`${had[n]}${followed[at + 1]}`, `after ${n}`).toBe(live));
  });
});

test("Gemini's array, which is one JSON value, is cut and resumed as well", async () => {
  upstream.answer(says(framesOn("gemini-generate", scripts["text"]?.("google") ?? [])));
  const asked = await ask("gemini-generate", "gemini-generate", true);
  const live = await asked.response.text();
  expect(JSON.parse(live)).toBeInstanceOf(Array);
  await expectEverySeam(asked, "gemini-generate", live);
});

test("a run's second step, which its tools' outputs began, is a stream of its own: cut and resumed as the first was", async () => {
  upstream.answer(says(framesOn("openai-chat", scripts["parallel tool calls"]?.("compat") ?? [])));
  const asked = await ask("openai-chat", "openai-chat");
  await asked.response.text();
  const { store } = elsewhere;
  const outputs = ["call_a", "call_b"].map((callId): Part => ({ type: "tool-result", callId, parts: [] }));
  const resumed = await resumeTurn(store, open, asked.thread, asked.run, [
    { message: { role: "user", parts: outputs } },
  ]);
  if (resumed.kind !== "started") throw new Error("it goes on");
  const { lease } = resumed;
  const place = { space: open.space, thread: asked.thread, run: asked.run };
  const writer = createEventWriter(store, place, lease.fence, lease.firstEvent);
  for (const event of scripts["text"]?.("compat") ?? []) writer.write(event);
  await endTurn(store, lease, writer, { state: "completed", message: { role: "assistant", parts: [] } });

  const all: NumberedEvent[] = [];
  for await (const event of runEvents(store, open, asked.thread, asked.run)) all.push(event);
  expect(all.map(({ n }) => n)).toEqual(all.map((_, at) => at + 1));
  for (const wire of clientWireIds) {
    const encoded = await encodedOn(asked, wire);
    const events = all.slice(encoded.run.stepFirst - 1);
    expect(events[0]?.event.type).toBe("response-start");
    const whole = await replay(encoded);
    expect(whole).toContain("織る");
    expect(whole).not.toContain("Both at once");
    const had = prefixes(encoded, events);
    for (const [at, { n }] of events.entries())
      expect(`${had[at + 1]}${await replay(encoded, n)}`, `${wire}, after event ${n}`).toBe(
        at + 1 === events.length ? had[at + 1] : whole,
      );
    expect(await replay(encoded, encoded.run.stepFirst - 1)).toBe(whole);
  }
});

test("a stream that ends before it is finished ends with an error, the same for every reader", async () => {
  const frames = framesOn("openai-chat", scripts["text"]?.("compat") ?? []);
  upstream.answer(says(frames.slice(0, 3)));
  const asked = await ask("openai-chat", "openai-chat");
  const live = await asked.response.text();
  expect(rawWires["openai-chat"].inBandError(live)).toBe(true);
  for (const other of clientWireIds) await expectEverySeam(asked, other, other === "openai-chat" ? live : undefined);
});

const protocols: Record<string, ClientWireId> = {
  "anthropic-messages": "anthropic-messages",
  "openai-chat": "openai-chat",
  "openai-responses": "openai-responses",
  gemini: "gemini-generate",
};

/** A few of each feature, of a size that lets every seam be looked at. */
const chosen = recordings()
  .filter(
    ({ protocol, stream, status, req }) =>
      protocols[protocol] !== undefined && stream && status === 200 && req !== null,
  )
  .filter((record) => bodyOf(record).length < 24_000)
  .reduce<{ seen: Map<string, number>; records: ReturnType<typeof recordings> }>(
    ({ seen, records }, record) => {
      const fresh = record.features
        .map((feature) => `${record.protocol} ${feature}`)
        .filter((key) => (seen.get(key) ?? 0) < 2);
      if (fresh.length === 0) return { seen, records };
      for (const feature of record.features)
        seen.set(`${record.protocol} ${feature}`, (seen.get(`${record.protocol} ${feature}`) ?? 0) + 1);
      return { seen, records: [...records, record] };
    },
    { seen: new Map(), records: [] },
  ).records;

describe.skipIf(chosen.length === 0)("recorded answers", () => {
  test.each(
    chosen.map((record) => [`${record.protocol} ${record.id} (${record.features.join(", ")})`, record] as const),
  )("%s", async (_name, record) => {
    const provider = protocols[record.protocol] ?? "openai-chat";
    upstream.answer((_request, response) => {
      response.writeHead(200, { "content-type": record.ctype });
      response.end(bodyOf(record));
    });
    const wire = provider;
    const asked = await ask(wire, provider);
    const live = await asked.response.text();
    for (const other of [wire, after(wire, 1)]) await expectEverySeam(asked, other, other === wire ? live : undefined);
  });
});
