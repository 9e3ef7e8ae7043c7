// An invocation by HTTP has two halves: the request that the host's proxy sends, and the host's word of it. The library waits for the first
// without an end, and the host for the library until `functionTimeout`, when it ends the process with all that runs in it. A client can see
// to it that they never meet (a header of its own, more headers than Node's parser takes), so neither is waited for long.
import { createRequire } from "node:module";
import type { ServerResponse } from "node:http";
import type { Log } from "../../lib/telemetry/log.ts";
import { type Connections, refusal } from "./connections.ts";

type Core = {
  invocationId: string;
  request: { triggerMetadata?: unknown };
  metadata: { bindings?: Record<string, { type?: unknown }> };
  log: (...entry: unknown[]) => void;
};
type Invocation = {
  getArguments: () => Promise<unknown>;
  invokeFunction: (...given: unknown[]) => Promise<unknown>;
  getResponse: (context: unknown, result: unknown) => Promise<unknown>;
};
type Model = {
  name: string;
  version: string;
  getInvocationModel: (core: Core) => Invocation | Promise<Invocation>;
  getCapabilities?: (given: unknown) => unknown;
};
export type FunctionsCore = {
  getProgrammingModel: () => Model | undefined;
  setProgrammingModel: (model: Model) => void;
};

/** What the worker gives whoever requires it; undefined outside of one. */
export const functionsCore = (): FunctionsCore | undefined => {
  try {
    return createRequire(import.meta.url)("@azure/functions-core") as FunctionsCore;
  } catch {
    return undefined;
  }
};

const isHttp = ({ metadata }: Core): boolean =>
  Object.values(metadata.bindings ?? {}).some(({ type }) => /^httptrigger$/i.test(String(type)));

/** To be called once the library has been loaded, before the first invocation. */
export const guardInvocations = (
  core: FunctionsCore | undefined,
  { connections, log }: { connections: Connections; log: Pick<Log, "warn"> },
): void => {
  const model = core?.getProgrammingModel();
  if (core === undefined || model === undefined) return;
  let last: Core | undefined;

  /** By the library, which keeps what isn't answered for ever. */
  const answer = async (invocation: Invocation, invocationId: string, response: ServerResponse): Promise<void> => {
    const { status, body } = refusal;
    const headers = { "content-type": "application/json" };
    try {
      await invocation.getResponse({ invocationId, extraOutputs: new Map() }, { status, headers, body });
    } catch {
      response.destroy();
    }
  };

  const answerForsaken = async (invocationId: string, response: ServerResponse): Promise<void> => {
    if (last === undefined) return void response.destroy();
    const request = { ...last.request, invocationId, triggerMetadata: {} };
    const invocation = await model.getInvocationModel({ ...last, invocationId, request, log: () => undefined });
    await invocation.getArguments().catch(() => undefined);
    await answer(invocation, invocationId, response);
  };
  connections.onForsaken((...forsaken) => {
    // Of the library's own code nothing in there throws; if it did, nobody would hear it.
    answerForsaken(...forsaken).catch(() => undefined);
  });

  const guarded = (invocation: Invocation, given: Core): Invocation => {
    const { invocationId, request } = given;
    /** Nothing is to be carried out. */
    let over = false;
    return {
      getArguments: async () => {
        const nothing = { context: { invocationId }, inputs: [] };
        const response = await connections.arrival(invocationId);
        if (response === undefined) {
          over = true;
          // Where it was lost on its way, the host says so itself; else Node's parser has answered it.
          log.warn("an invocation came without its request", { requestId: invocationId });
          return nothing;
        }
        // A query's or a body's members: what is no header would keep the library from making a request of it. All is read off the connection.
        request.triggerMetadata = {};
        try {
          return await invocation.getArguments();
        } catch {
          over = true;
          connections.of(invocationId);
          await answer(invocation, invocationId, response);
          return nothing;
        }
      },
      invokeFunction: async (...all) => (over ? undefined : invocation.invokeFunction(...all)),
      getResponse: async (context, result) => {
        if (over) return { invocationId };
        const response = connections.of(invocationId);
        try {
          return await invocation.getResponse(context, result);
        } catch (thrown) {
          // What the library can make no answer of would be none.
          if (response?.headersSent === false) response.writeHead(500).end();
          else response?.destroy();
          throw thrown;
        }
      },
    };
  };

  core.setProgrammingModel({
    name: model.name,
    version: model.version,
    getCapabilities: (given) => model.getCapabilities?.(given),
    getInvocationModel: async (given) => {
      const invocation = await model.getInvocationModel(given);
      if (!isHttp(given)) return invocation;
      last = given;
      return guarded(invocation, given);
    },
  });
};
