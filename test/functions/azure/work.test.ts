// What becomes of a message: a job that was done is done, one that could not be begun comes again.
import type { InvocationContext } from "@azure/functions";
import { expect, test } from "vitest";
import type { Runtime } from "../../../functions/azure/runtime.ts";
import { createWorker } from "../../../functions/azure/work.ts";
import { type Bounds, type Lifetime, openLifetime } from "../../../functions/shared/lifetime.ts";
import type { Gateway } from "../../../lib/gateway.ts";

const worked: string[] = [];
const told: string[] = [];
let open = 0;
let ending = false;
const gateway = {
  work: async (id: string) => void worked.push(id),
  flush: () => Promise.reject(new Error("the store is down")),
} as unknown as Gateway;
const runtime = {
  gateway: async () => gateway,
  log: { error: (message: string) => told.push(message) },
  begin: (bounds: Bounds) => {
    open += 1;
    const time = openLifetime(bounds, Date.now);
    if (ending) time.end();
    return time;
  },
  end: (time: Lifetime) => {
    open -= 1;
    time.clear();
  },
} satisfies Partial<Record<keyof Runtime, unknown>> as unknown as Runtime;
const work = async (id: string): Promise<void> => {
  await createWorker(runtime)({ id }, {} as InvocationContext);
};

test("a job doesn't come again because of its usage, and leaves nothing open", async () => {
  await work("space/thread");
  expect({ worked, told, open }).toEqual({ worked: ["space/thread"], told: ["usage could not be written"], open: 0 });
});

test("a job that comes as the process ends is not begun, and comes again", async () => {
  ending = true;
  worked.length = 0;
  await expect(work("space/thread")).rejects.toMatchObject({ code: "upstream_timeout" });
  expect({ worked, open }).toEqual({ worked: [], open: 0 });
});
