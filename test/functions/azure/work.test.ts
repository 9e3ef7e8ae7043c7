// A job that was done is done, though its usage could not be written yet.
import type { InvocationContext } from "@azure/functions";
import { expect, test } from "vitest";
import type { Runtime } from "../../../functions/azure/runtime.ts";
import { createWorker } from "../../../functions/azure/work.ts";
import { type Bounds, type Lifetime, openLifetime } from "../../../functions/shared/lifetime.ts";
import type { Gateway } from "../../../lib/gateway.ts";

test("a job doesn't come again because of its usage, and leaves nothing open", async () => {
  const worked: string[] = [];
  const told: string[] = [];
  let open = 0;
  const gateway = {
    work: async (id: string) => void worked.push(id),
    flush: () => Promise.reject(new Error("the store is down")),
  } as unknown as Gateway;
  const runtime = {
    gateway: async () => gateway,
    log: { error: (message: string) => told.push(message) },
    begin: (bounds: Bounds) => {
      open += 1;
      return openLifetime(bounds, Date.now);
    },
    end: (time: Lifetime) => {
      open -= 1;
      time.clear();
    },
  } satisfies Partial<Record<keyof Runtime, unknown>>;
  const id = "space/thread";
  await createWorker(runtime as unknown as Runtime)({ id }, {} as InvocationContext);
  expect({ worked, told, open }).toEqual({ worked: [id], told: ["usage could not be written"], open: 0 });
});
