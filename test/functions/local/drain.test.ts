// The end of a server that nobody waits for.
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { startGateway } from "../../support/gateway.ts";

test("connections that were opened ahead and never used don't hold up the end", async () => {
  const gateway = await startGateway();
  const port = Number(new URL(gateway.url).port);
  const unused = connect(port, "127.0.0.1");
  await once(unused, "connect");
  // Once another connection has been answered, the server has seen this one too.
  await (await fetch(`${gateway.url}/health`)).text();
  const closed = once(unused, "close");
  await gateway.stop();
  await closed;
  expect(unused.destroyed).toBe(true);
});
