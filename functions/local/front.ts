// The fronts of the local platforms: a server on this machine alone.
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

export type Front = { url: string; stop: () => Promise<void> };

/** Listens on 127.0.0.1; port 0 is any free one. A call may take any time to come. */
export const listen = async (port: number, answer: RequestListener): Promise<Front> => {
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    response.on("error", () => undefined);
    answer(request, response);
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
