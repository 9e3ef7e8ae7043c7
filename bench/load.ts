// The load: raw sockets and prepared bytes, so that one core can drive a gateway that has another. Prints one JSON line.
// Its plan is JSON on standard input:
//   {"mode":"loop","port":9902,"path":"/v1/…","headers":{},"body":{},"connections":50,"seconds":3}
//   {"mode":"streams",…,"streams":1000,"rampMs":2000}
import { connect } from "node:net";
import { text as textOf } from "node:stream/consumers";

export type LoadPlan = {
  mode: "loop" | "streams";
  port: number;
  path: string;
  headers: Record<string, string>;
  body: unknown;
  connections?: number;
  seconds?: number;
  streams?: number;
  rampMs?: number;
};

export type LoadResult = {
  requests: number;
  errors: number;
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** Milliseconds to the first body byte (streams). */
  firstP50: number;
  firstP99: number;
  /** `data:` frames seen. */
  chunks: number;
};

const requestBytes = (plan: LoadPlan): Buffer => {
  const body = JSON.stringify(plan.body);
  const headers = Object.entries({
    host: "127.0.0.1",
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    ...plan.headers,
  })
    .map(([name, value]) => `${name}: ${value}`)
    .join("\r\n");
  return Buffer.from(`POST ${plan.path} HTTP/1.1\r\n${headers}\r\n\r\n${body}`);
};

const endOfChunked = Buffer.from("\r\n0\r\n\r\n");
const dataMark = Buffer.from("data:");

/** One connection's view of one answer after another. `frames` counts `data:` lines that stand whole in a read. */
const createReader = (on: {
  head: (status: number) => void;
  first: () => void;
  frames: (count: number) => void;
  done: () => void;
}) => {
  let head: Buffer = Buffer.alloc(0);
  let inBody = false;
  let left = -1;
  let tail: Buffer = Buffer.alloc(0);
  let begun = false;

  const body = (bytes: Buffer): void => {
    if (bytes.length === 0) return;
    if (!begun) {
      begun = true;
      on.first();
    }
    let count = 0;
    for (let at = bytes.indexOf(dataMark); at >= 0; at = bytes.indexOf(dataMark, at + 5)) count += 1;
    if (count > 0) on.frames(count);
    if (left >= 0) {
      left -= bytes.length;
      if (left <= 0) reset();
      return;
    }
    tail = Buffer.concat([tail, bytes]).subarray(-7);
    if (tail.equals(endOfChunked)) reset();
  };
  const reset = (): void => {
    inBody = false;
    begun = false;
    left = -1;
    head = Buffer.alloc(0);
    tail = Buffer.alloc(0);
    on.done();
  };
  return (data: Buffer): void => {
    if (inBody) {
      body(data);
      return;
    }
    head = head.length === 0 ? data : Buffer.concat([head, data]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    const text = head.toString("latin1", 0, end);
    on.head(Number(text.slice(9, 12)));
    const length = /content-length: *(\d+)/i.exec(text)?.[1];
    left = length === undefined ? -1 : Number(length);
    inBody = true;
    body(head.subarray(end + 4));
  };
};

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;

const run = (plan: LoadPlan): Promise<LoadResult> =>
  new Promise((resolve) => {
    const bytes = requestBytes(plan);
    const latencies: number[] = [];
    const firsts: number[] = [];
    let chunks = 0;
    let errors = 0;
    let open = plan.mode === "loop" ? (plan.connections ?? 1) : (plan.streams ?? 1);
    const began = performance.now();
    const until = began + (plan.seconds ?? 3) * 1_000;

    const finish = (): void => {
      open -= 1;
      if (open > 0) return;
      const seconds = (performance.now() - began) / 1_000;
      latencies.sort((a, b) => a - b);
      firsts.sort((a, b) => a - b);
      resolve({
        requests: latencies.length,
        errors,
        perSecond: latencies.length / seconds,
        p50: percentile(latencies, 0.5),
        p99: percentile(latencies, 0.99),
        firstP50: percentile(firsts, 0.5),
        firstP99: percentile(firsts, 0.99),
        chunks,
      });
    };

    const start = (): void => {
      let sent = 0;
      let over = false;
      const socket = connect({ port: plan.port, host: "127.0.0.1", noDelay: true });
      const send = (): void => {
        sent = performance.now();
        socket.write(bytes);
      };
      const close = (failed: boolean): void => {
        if (over) return;
        over = true;
        if (failed) errors += 1;
        socket.destroy();
        finish();
      };
      const read = createReader({
        head: (status) => {
          if (status !== 200) errors += 1;
        },
        first: () => firsts.push(performance.now() - sent),
        frames: (count) => {
          chunks += count;
        },
        done: () => {
          latencies.push(performance.now() - sent);
          if (plan.mode === "streams" || performance.now() > until) close(false);
          else send();
        },
      });
      socket.on("connect", send);
      socket.on("data", read);
      socket.on("error", () => close(true));
      socket.on("close", () => close(true));
    };

    const total = open;
    for (let at = 0; at < total; at += 1) setTimeout(start, ((plan.rampMs ?? 0) * at) / total);
  });

process.stdout.write(`${JSON.stringify(await run(JSON.parse(await textOf(process.stdin)) as LoadPlan))}\n`);
