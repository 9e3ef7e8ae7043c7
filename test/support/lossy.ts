// A proxy in front of a store that passes every request on, and loses the answers (or whole requests) it is told to lose.
import { createServer, request as send, type IncomingMessage } from "node:http";
import { once } from "node:events";

export type Lossy = {
  url: string;
  /** What becomes of the next requests, one entry each; after these, all pass. */
  plan: ("pass" | "lose-answer" | "lose-request")[];
  /** Requests that came. */
  count: () => number;
  stop: () => Promise<void>;
};

const bodyOf = async (message: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

export const startLossy = async (target: string): Promise<Lossy> => {
  const plan: Lossy["plan"] = [];
  let count = 0;
  const server = createServer((incoming, outgoing) => {
    count += 1;
    const step = plan.shift() ?? "pass";
    const pass = async (): Promise<void> => {
      const body = await bodyOf(incoming);
      if (step === "lose-request") return void incoming.socket.destroy();
      const url = new URL(incoming.url ?? "/", target);
      const onward = send(url, { method: incoming.method, headers: incoming.headers });
      onward.end(body);
      const [answer] = (await once(onward, "response")) as [IncomingMessage];
      const answered = await bodyOf(answer);
      if (step === "lose-answer") return void incoming.socket.destroy();
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      outgoing.end(answered);
    };
    pass().catch(() => incoming.socket.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("No port.");
  return {
    url: `http://127.0.0.1:${address.port}`,
    plan,
    count: () => count,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
