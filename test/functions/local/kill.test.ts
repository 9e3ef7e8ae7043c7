// The server is killed at random moments while it streams, and started again on the same data: what it had acknowledged is there,
// whoever was cut off resumes, and every thread goes on (F49).
import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { type ClientWireId, clientWireIds } from "../../../lib/model/wire-id.ts";
import type { NumberedEvent } from "../../../lib/threads/hub.ts";
import type { StoredMessage } from "../../../lib/threads/message-items.ts";
import { listMessages } from "../../../lib/threads/messages.ts";
import { getRun, listRuns, listUsage, runEvents } from "../../../lib/threads/runs.ts";
import type { Run } from "../../../lib/threads/run-items.ts";
import { listThreads } from "../../../lib/threads/threads.ts";
import { encodeRun, wireOfRun } from "../../../lib/turns/encode.ts";
import { dataFolder } from "../../support/data.ts";
import { until } from "../../support/gateway.ts";
import { prefixes } from "../../support/prefixes.ts";
import { type Elsewhere, open, openElsewhere } from "../../support/stored.ts";
import { rawWires } from "../../support/wires.ts";

const lives = 10;
const streamsEach = 20;
const paceMs = 20;
/** A block is stored when its oldest event is a second old: that many words, and a few for a busy machine's clock. */
const mayBeLost = 1_000 / paceMs + 15;

const cli = fileURLToPath(new URL("../../../functions/local/heddle.ts", import.meta.url));
const data = dataFolder();
let server: ChildProcess | undefined;
let elsewhere: Elsewhere | undefined;
afterAll(async () => {
  server?.kill("SIGKILL");
  await elsewhere?.close();
  data.remove();
});

/** The same numbers in every run of this test. */
const random = ((state: number) => (below: number) => {
  state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
  return Math.floor((state / 2 ** 32) * below);
})(20_261_121);

const start = async (): Promise<string> => {
  const child = spawn(process.execPath, [cli, "serve"], {
    cwd: data.path,
    env: {
      PATH: process.env["PATH"] ?? "",
      HEDDLE_PORT: "0",
      HEDDLE_DATA: data.path,
      HEDDLE_CONFIG: join(data.path, "heddle.yaml"),
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  server = child;
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
  await until(() => /listens on \S+\s/.test(said), "a banner").catch((error: unknown) => {
    throw new Error(`no banner, but: ${said}`, { cause: error });
  });
  return /listens on (\S+)/.exec(said)?.[1] ?? "";
};

const kill = async (signal: NodeJS.Signals): Promise<void> => {
  const child = server;
  if (child === undefined) return;
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill(signal);
  await ended;
};

/** A run as its client saw it. */
type Stream = {
  wire: ClientWireId;
  life: number;
  prompt: string;
  status: number;
  thread: string;
  run: string;
  /** What came of the answer, and whether it came to its end. */
  seen: string;
  whole: boolean;
};

const say = async (url: string, life: number, wire: ClientWireId, thread: string, prompt: string): Promise<Stream> => {
  const raw = rawWires[wire];
  const stream: Stream = { wire, life, prompt, status: 0, thread, run: "", seen: "", whole: false };
  try {
    const response = await fetch(url + raw.path("echo/echo", true), {
      method: "POST",
      headers: { "content-type": "application/json", "heddle-thread": thread, ...raw.headers },
      body: JSON.stringify({
        ...raw.body("echo/echo", true, prompt),
        ...(wire === "anthropic-messages" ? { max_tokens: 4096 } : {}),
      }),
    });
    stream.status = response.status;
    if (response.status !== 200 || response.body === null) return stream;
    stream.thread = response.headers.get("heddle-thread") ?? "";
    stream.run = response.headers.get("heddle-run") ?? "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body) stream.seen += decoder.decode(chunk as Uint8Array, { stream: true });
    stream.whole = true;
  } catch {
    // Its server is gone.
  }
  return stream;
};

const replay = async (store: Elsewhere, run: Run, after = 0): Promise<string> => {
  const spec = await store.turns.spec(open.space, run);
  let text = "";
  for await (const frame of encodeRun(store.store, open, { run, spec, wire: wireOfRun(spec) }, { after }))
    text += frame;
  return text;
};

/** A client that was cut off follows its run from the store, while nobody has ended it yet. */
const follow = async (stream: Stream): Promise<{ stream: Stream; text: string }> => {
  const store = (elsewhere ??= await openElsewhere(data.path));
  return { stream, text: await replay(store, await getRun(store.store, open, stream.thread, stream.run)) };
};

const allMessages = async ({ store }: Elsewhere, thread: string): Promise<StoredMessage[]> => {
  const all: StoredMessage[] = [];
  for (let more = true; more;) {
    const last = all.at(-1)?.id;
    const page = await listMessages(store, open, thread, {
      limit: 100,
      ...(last === undefined ? {} : { after: last }),
    });
    all.push(...page.messages);
    more = page.hasMore;
  }
  return all;
};

const textOf = ({ message }: StoredMessage): string =>
  message.parts.map((part) => (part.type === "text" ? part.text : "")).join("");

const framesIn = (text: string): number => text.split(/\r?\n\r?\n/).filter((frame) => frame.includes("data:")).length;

/** A cut stream: what its client saw is in the store but for a second at most, and who resumes gets the rest, or is told. */
const expectResumed = async (store: Elsewhere, stream: Stream, run: Run): Promise<number> => {
  const spec = await store.turns.spec(open.space, run);
  const events: NumberedEvent[] = [];
  for await (const event of runEvents(store.store, open, stream.thread, stream.run)) events.push(event);
  const whole = await replay(store, run);
  if (run.state === "completed") {
    expect(whole.startsWith(stream.seen)).toBe(true);
    return 0;
  }
  const said = events.slice(0, -1);
  const had = prefixes({ run, spec, wire: wireOfRun(spec) }, said);
  const stored = had.at(-1) ?? "";
  const raw = rawWires[stream.wire];
  expect(raw.inBandError(whole)).toBe(true);
  expect(whole).toContain("its last second may be missing");
  if (stored.startsWith(stream.seen)) {
    const n = had.findLastIndex((text) => stream.seen.startsWith(text));
    expect((had[n] ?? "") + (await replay(store, run, said[n - 1]?.n ?? 0))).toBe(whole);
    return 0;
  }
  expect(stream.seen.startsWith(stored)).toBe(true);
  const lost = framesIn(stream.seen.slice(stored.length));
  expect(lost).toBeLessThanOrEqual(mayBeLost);
  // It saw what was never stored: what comes after that is the end, and it says so.
  const rest = await replay(store, run, said.length + lost);
  expect(raw.inBandError(rest)).toBe(true);
  expect(framesIn(rest)).toBeLessThanOrEqual(2);
  return lost;
};

test.skipIf(process.platform === "win32")(
  "killed ten times over two hundred streamed runs: nothing acknowledged is lost or doubled, every thread goes on",
  { timeout: 120_000 },
  async () => {
    await writeFile(
      join(data.path, "heddle.yaml"),
      `providers: { echo: { kind: echo, pace: ${paceMs} } }\nthreads: { leaseMs: 3000 }\nlog: { level: silent }\n`,
    );
    const streams: Stream[] = [];
    const followed: Promise<{ stream: Stream; text: string }>[] = [];
    for (let life = 0; life < lives; life += 1) {
      const url = await start();
      // Some go on with threads whose run was cut off some lives ago, or came to its end.
      const free = [...new Set(streams.filter((each) => each.run !== "").map(({ thread }) => thread))].filter(
        (thread) => streams.every((each) => each.thread !== thread || each.whole || each.life <= life - 3),
      );
      const running = Array.from({ length: streamsEach }, async (_, at) => {
        const wire = clientWireIds[(life + at) % clientWireIds.length] ?? "openai-chat";
        const thread = at % 3 === 0 ? (free.splice(random(free.length), 1)[0] ?? "new") : "new";
        const prompt = `turn ${life}-${at} [[long ${2 + random(90)}]]`;
        await sleep(random(500));
        return say(url, life, wire, thread, prompt);
      });
      await sleep(300 + random(1_500));
      await kill("SIGKILL");
      const cut = await Promise.all(running);
      streams.push(...cut);
      for (const each of cut) if (each.run !== "" && !each.whole) followed.push(follow(each));
    }
    expect(streams).toHaveLength(lives * streamsEach);

    const url = await start();
    const store = (elsewhere ??= await openElsewhere(data.path));
    const threads: string[] = [];
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await listThreads(store.store, open, { limit: 100, ...(cursor === undefined ? {} : { cursor }) });
      threads.push(...page.threads.map(({ id }) => id));
      cursor = page.next;
    }
    for (const { thread, run } of streams) if (run !== "") expect(threads).toContain(thread);

    // Every thread goes on, once the leases of the dead have run out.
    const last = new Map<string, Stream>();
    const pending = [...threads];
    const goOn = async (): Promise<void> => {
      for (let thread = pending.shift(); thread !== undefined; thread = pending.shift()) {
        const wire = clientWireIds[threads.indexOf(thread) % clientWireIds.length] ?? "openai-chat";
        const stream = await say(url, lives, wire, thread, "and on [[pace 0]]");
        if (stream.status === 409) {
          await sleep(200);
          pending.push(thread);
        } else last.set(thread, stream);
      }
    };
    await Promise.all(Array.from({ length: 8 }, goOn));
    for (const stream of last.values()) expect([stream.status, stream.whole]).toEqual([200, true]);
    const after = await Promise.all(followed);
    // Whoever was cut off asks the server that came after.
    const resumed = await Promise.all(
      streams
        .filter(({ run, whole }) => run !== "" && !whole)
        .map(async (stream) => {
          const path = `/v1/threads/${stream.thread}/runs/${stream.run}/events?wire=${stream.wire}`;
          return { stream, text: await (await fetch(url + path)).text() };
        }),
    );
    await kill("SIGTERM");

    const messages = new Map<string, StoredMessage[]>();
    for (const thread of threads) {
      const all = await allMessages(store, thread);
      messages.set(thread, all);
      expect(all.map(({ seq }) => seq)).toEqual(all.map((_, at) => at));
      expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
      const { runs } = await listRuns(store.store, open, thread, { limit: 100 });
      for (const run of runs) {
        expect(["completed", "expired"]).toContain(run.state);
        expect(all.filter((each) => each.run === run.id && each.message.role === "assistant")).toHaveLength(
          run.output === undefined ? 0 : 1,
        );
      }
      const usage = await listUsage(store.store, open, thread);
      expect(usage.map(({ run, step }) => `${run}/${step}`).sort()).toEqual(runs.map(({ id }) => `${id}/1`).sort());
    }
    const everything = [...messages.values()].flat();
    let lost = 0;
    let expired = 0;
    for (const stream of streams) {
      // 409 where a lease had not run out yet; 0 where the server was gone before it answered.
      expect([200, 409, 0]).toContain(stream.status);
      const asked = everything.filter((each) => each.message.role === "user" && textOf(each) === stream.prompt);
      if (stream.run === "") {
        // Nobody was told that it was taken: it was, or it wasn't.
        expect(asked.length).toBeLessThanOrEqual(1);
        continue;
      }
      expect(asked.map(({ run }) => run)).toEqual([stream.run]);
      const run = await getRun(store.store, open, stream.thread, stream.run);
      if (run.state === "expired") expired += 1;
      if (stream.whole) {
        expect(run.state).toBe("completed");
        expect(await replay(store, run)).toBe(stream.seen);
      } else lost += await expectResumed(store, stream, run);
    }
    for (const { stream, text } of [...after, ...resumed])
      expect(text).toBe(await replay(store, await getRun(store.store, open, stream.thread, stream.run)));
    const whole = streams.filter((each) => each.whole).length;
    process.stdout.write(
      `\nkilled ${lives} times: ${streams.length} streams, ${whole} whole, ${expired} expired, ${after.length} followed, ${lost} words lost, ${threads.length} threads\n`,
    );
    // The moments were such that all of it happened.
    expect(Math.min(whole, expired, after.length)).toBeGreaterThan(10);
  },
);
