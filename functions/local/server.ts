// The local server: development, containers, ECS, Container Apps, Kubernetes. Wiring only.
import type { AddressInfo } from "node:net";
import type { HeddleConfig } from "../../lib/config-types.ts";
import { createGateway } from "../../lib/gateway.ts";
import { createUndiciTransport } from "../../lib/http/undici-transport.ts";
import { createLog } from "../../lib/telemetry/log.ts";
import { createHttpServer } from "./http.ts";

export type RunningServer = {
  url: string;
  /** Lets running answers end, then closes all. */
  stop: () => Promise<void>;
};

/** Starts to listen. Rejects where the address is taken. `write` takes log lines without their line end. */
export const startServer = async (
  config: HeddleConfig,
  options: { version: string; write: (line: string) => void },
): Promise<RunningServer> => {
  const transport = createUndiciTransport(config.timeouts);
  let draining = false;
  const gateway = createGateway(
    {
      transport,
      log: createLog({ level: config.log.level, write: options.write }),
      version: options.version,
      draining: () => draining,
    },
    config,
  );
  const { server, drain } = createHttpServer(gateway, config.server);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(config.server.port, config.server.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const { port } = server.address() as AddressInfo;
  const host = config.server.host.includes(":") ? `[${config.server.host}]` : config.server.host;
  return {
    url: `http://${host}:${port}`,
    stop: async () => {
      draining = true;
      await drain();
      await transport.close();
    },
  };
};
