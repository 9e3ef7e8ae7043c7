// Functions that do as they are asked: stand for a bundle where only the host is on trial.
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { app } from "@azure/functions";

app.setup({ enableHttpStream: true });

const text = new TextEncoder();
const streamOf = (source) => ReadableStream.from(source);

async function* pieces(...words) {
  for (const word of words) {
    yield text.encode(word);
    await sleep(20);
  }
}

async function* broken() {
  yield text.encode("half");
  await sleep(20);
  throw new Error("after the first byte");
}

async function* flood(megabytes) {
  for (let sent = 0; sent < megabytes; sent += 1) yield new Uint8Array(1024 * 1024).fill(97);
}

const acts = {
  chunks: async () => ({
    status: 201,
    headers: { "content-type": "text/plain", "x-one": "1" },
    cookies: [
      { name: "a", value: "1" },
      { name: "b", value: "2" },
    ],
    body: streamOf(pieces("one ", "two ", "three")),
  }),
  empty: async () => ({ status: 204 }),
  nothing: async () => undefined,
  throws: async () => {
    throw new Error("before the first byte");
  },
  breaks: async () => ({ body: streamOf(broken()) }),
  exits: async () => process.exit(3),
  sleeps: async () => {
    await sleep(60_000);
    return {};
  },
  stalls: async () => ({ body: streamOf(pieces("begun", ...Array.from({ length: 500 }, () => "."))) }),
  flood: async (request) => ({ body: streamOf(flood(Number(request.query.get("mb")))) }),
  process: async () => ({ jsonBody: { pid: process.pid } }),
  echo: async (request) => ({
    jsonBody: {
      method: request.method,
      url: request.url,
      headers: Object.fromEntries(request.headers),
      params: request.params,
      query: Object.fromEntries(request.query),
      body: await request.text(),
    },
  }),
  logs: async (_request, context) => {
    context.log("while it runs");
    console.log(JSON.stringify({ from: "stdout" }));
    setTimeout(() => {
      context.log("after it has ended");
      console.log(JSON.stringify({ from: "stdout", late: true }));
    }, 100);
    return { body: "logged" };
  },
};

app.http("act", {
  methods: ["GET", "POST", "PUT", "HEAD"],
  route: "{*path}",
  handler: (request, context) =>
    acts[request.params.path?.split("/")[0] ?? "nothing"]?.(request, context) ?? { status: 418 },
});

app.hook.appTerminate(async () => {
  await sleep(20);
  if (process.env.FAREWELL !== undefined) writeFileSync(process.env.FAREWELL, "flushed");
});
