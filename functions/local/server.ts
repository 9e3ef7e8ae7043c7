// The local server: development, containers, ECS, Container Apps, Kubernetes. Wiring only.
import type { AddressInfo } from "node:net";
import type { HeddleConfig } from "../../lib/config-types.ts";
import { createGateway } from "../../lib/gateway.ts";
import { createUndiciTransport } from "../../lib/http/undici-transport.ts";
import { createLog } from "../../lib/telemetry/log.ts";
import { systemClock } from "../../lib/routing/retry.ts";
import { createHttpServer } from "./http.ts";
import { createLocalStorage, localSecrets } from "./platform.ts";

/** How often runs are looked for whose process died. */
const sweepMs = 5_000;

export type RunningServer = {
  url: string;
  /** Lets running answers end, then closes all. */
  stop: () => Promise<void>;
};

export type ServerOptions = {
  version: string;
  /** Takes log lines without their line end. */
  write: (line: string) => void;
  /** An environment variable that holds a secret: HEDDLE_PEPPER. Default: none is set. */
  variable?: (name: string) => string | undefined;
};

/** Starts to listen. Rejects where the address is taken. */
export const startServer = async (config: HeddleConfig, options: ServerOptions): Promise<RunningServer> => {
  const transport = createUndiciTransport(config.timeouts);
  const log = createLog({ level: config.log.level, write: options.write });
  const storage = createLocalStorage(config, systemClock, log);
  let draining = false;
  const gateway = createGateway(
    {
      transport,
      log,
      version: options.version,
      draining: () => draining,
      secrets: localSecrets(config, options.variable ?? (() => undefined)),
      ...(config.storage === "none" ? {} : { storage: storage.open }),
    },
    config,
  );
  storage.onMessage(gateway.work);
  const sweeper = setInterval(() => {
    // A server that was started anew may find runs of the process before it.
    if (!draining && config.storage !== "none")
      gateway.sweep().catch((cause: unknown) => log.error("sweep failed", { cause }));
  }, sweepMs).unref();
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
      clearInterval(sweeper);
      await drain();
      await storage.close();
      await transport.close();
    },
  };
};
