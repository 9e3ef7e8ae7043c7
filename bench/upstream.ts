// A provider that costs next to nothing: Chat Completions from prepared bytes over plain sockets, so that what is measured is the gateway.
//   plain: a 1 KB answer   stream: `CHUNKS` chunks, `PACE` ms apart (0: all at once, in one write each)
// The request says which: "stream":true, and the model `bench-<chunks>-<pace>`.
import { createServer, type Socket } from "node:net";

const answer = JSON.stringify({
  id: "chatcmpl-bench00000000000000000000",
  object: "chat.completion",
  created: 1_780_000_000,
  model: "bench",
  choices: [
    { index: 0, message: { role: "assistant", content: "x".repeat(700), refusal: null }, finish_reason: "stop" },
  ],
  usage: { prompt_tokens: 200, completion_tokens: 100, total_tokens: 300 },
});
const plain = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(answer)}\r\n\r\n${answer}`,
);
const head = Buffer.from("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
const frame = (data: string): Buffer => {
  const text = `data: ${data}\n\n`;
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
};
const chunk = (delta: object, finish: string | null = null, more: object = {}): Buffer =>
  frame(
    JSON.stringify({
      id: "chatcmpl-bench00000000000000000000",
      object: "chat.completion.chunk",
      created: 1_780_000_000,
      model: "bench",
      choices: [{ index: 0, delta, finish_reason: finish }],
      ...more,
    }),
  );
const opening = Buffer.concat([head, chunk({ role: "assistant", content: "" })]);
const word = chunk({ content: " warp" });
const closing = Buffer.concat([
  chunk({}, "stop"),
  frame(
    JSON.stringify({
      id: "chatcmpl-bench00000000000000000000",
      object: "chat.completion.chunk",
      created: 1_780_000_000,
      model: "bench",
      choices: [],
      usage: { prompt_tokens: 200, completion_tokens: 100, total_tokens: 300 },
    }),
  ),
  frame("[DONE]"),
  Buffer.from("0\r\n\r\n"),
]);

const stream = (socket: Socket, chunks: number, pace: number): void => {
  socket.write(opening);
  let left = chunks;
  if (pace === 0) {
    while (left-- > 0) socket.write(word);
    socket.write(closing);
    return;
  }
  const timer = setInterval(() => {
    if (left-- > 0) socket.write(word);
    else {
      clearInterval(timer);
      socket.write(closing);
    }
  }, pace);
  socket.once("close", () => clearInterval(timer));
};

const serve = (socket: Socket): void => {
  let waiting: Buffer = Buffer.alloc(0);
  let need = -1;
  socket.setNoDelay(true);
  socket.on("error", () => undefined);
  socket.on("data", (data: Buffer) => {
    waiting = waiting.length === 0 ? data : Buffer.concat([waiting, data]);
    for (;;) {
      if (need < 0) {
        const end = waiting.indexOf("\r\n\r\n");
        if (end < 0) return;
        const heading = waiting.toString("latin1", 0, end);
        const length = /content-length: *(\d+)/i.exec(heading)?.[1];
        if (length === undefined && /transfer-encoding: *chunked/i.test(heading)) {
          const last = waiting.indexOf("\r\n0\r\n\r\n", end + 2);
          if (last < 0) return;
          need = last + 7;
        } else need = end + 4 + Number(length ?? 0);
      }
      if (waiting.length < need) return;
      const request = waiting.subarray(0, need);
      waiting = waiting.subarray(need);
      need = -1;
      const found = /bench-(\d+)-(\d+)/.exec(request.toString("latin1", 0, 4_000));
      if (found !== null && request.indexOf('"stream":true') >= 0) stream(socket, Number(found[1]), Number(found[2]));
      else socket.write(plain);
      if (waiting.length === 0) return;
    }
  });
};

createServer(serve).listen(Number(process.env["PORT"] ?? 9901), "127.0.0.1", 4_096);
