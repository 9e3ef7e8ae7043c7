// A function that does what its event's path says: stands for a bundle where only the platform is on trial.
import { setTimeout as sleep } from "node:timers/promises";

/* global awslambda */
const head = (stream, statusCode, headers = {}, cookies) =>
  awslambda.HttpResponseStream.from(stream, {
    statusCode,
    headers: { "content-type": "text/plain", ...headers },
    cookies,
  });

const acts = {
  "/chunks": async (event, out) => {
    const stream = head(out, 201, { "x-path": event.rawPath }, ["a=1", "b=2"]);
    for (const piece of ["one ", "two ", "three"]) {
      stream.write(piece);
      await sleep(20);
    }
    stream.end();
  },
  "/empty": async (_event, out) => {
    const stream = head(out, 204);
    stream.write("");
    stream.end();
  },
  "/throws": async () => {
    throw new Error("before the first byte");
  },
  "/breaks": async (_event, out) => {
    const stream = head(out, 200);
    stream.write("half");
    await sleep(20);
    throw new Error("after the first byte");
  },
  "/exits": async () => process.exit(3),
  "/sleeps": async () => sleep(60_000),
  "/grows": async () => {
    const held = [];
    for (;;) {
      held.push(Buffer.alloc(8 * 1024 * 1024, held.length));
      await sleep(5);
    }
  },
  "/echo": async (event, out) => {
    const stream = head(out, 200, { "content-type": "application/json" });
    stream.write(JSON.stringify(event));
    stream.end();
  },
  "/process": async (_event, out, context) => {
    const stream = head(out, 200);
    stream.write(
      JSON.stringify({ pid: process.pid, left: context.getRemainingTimeInMillis(), memory: context.memoryLimitInMB }),
    );
    stream.end();
  },
  "/plain": async (_event, out) => {
    out.write("no head");
    out.end();
  },
};

export const handler = awslambda.streamifyResponse(async (event, out, context) => {
  await acts[event.rawPath](event, out, context);
});
