// Invocations before the library has them. It waits for each one's request, and makes a `Request` of it before any handler runs: where that fails,
// or nothing comes, the caller would wait for an answer until the host gives it up (F59), and the invocation until its time is over.
import { createRequire } from "node:module";
import type { Connections } from "./connections.ts";

type Data = { json?: string | null; string?: string | null };
type Invocation = {
  invocationId: string;
  metadata: { bindings: Record<string, { type: string }> };
  request: { triggerMetadata?: Record<string, Data | undefined> | null };
};
type Arguments = { context: unknown; inputs: unknown[] };
type Making = {
  getArguments: () => Promise<Arguments>;
  invokeFunction: (context: unknown, inputs: unknown[], callback: (...given: unknown[]) => unknown) => Promise<unknown>;
  getResponse: (context: unknown, result: unknown) => Promise<unknown>;
};
export type Model = { getInvocationModel: (invocation: Invocation) => Making };

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const printable = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * The request's headers once more, as JSON: those that can stand in a `Headers`, and undefined where it is no object of headers at all. A value
 * in UTF-8 can't, and a member `Headers` of the caller's query or body, which takes their place, may be anything.
 */
const usable = ({ json, string }: Data): Data | undefined => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json ?? string ?? "");
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
  const headers = Object.entries(parsed).filter(
    ([name, value]) => typeof value === "string" && token.test(name) && printable.test(value),
  );
  return { json: JSON.stringify(Object.fromEntries(headers)) };
};

const cleanMetadata = ({ request: { triggerMetadata } }: Invocation): void => {
  const headers = triggerMetadata?.["Headers"];
  if (!triggerMetadata || !headers) return;
  const clean = usable(headers);
  if (clean === undefined) delete triggerMetadata["Headers"];
  else triggerMetadata["Headers"] = clean;
};

const isHttp = ({ metadata }: Invocation): boolean =>
  Object.values(metadata.bindings).some(({ type }) => /^httptrigger$/i.test(type));

const strange = {
  status: 400,
  jsonBody: { error: { type: "invalid_request_error", message: "x-ms-invocation-id: expected no such header" } },
};

/** What the library has made itself known by at the worker; undefined outside of the host. To be asked once a function has been registered. */
export const registeredModel = (): Model | undefined => {
  try {
    const core = createRequire(import.meta.url)("@azure/functions-core") as { getProgrammingModel: () => Model };
    return core.getProgrammingModel();
  } catch {
    return undefined;
  }
};

/** A request that no invocation comes for has the id of one that its client made up, and the invocation that was begun for it has no request. */
export const guardInvocations = (model: Model | undefined, connections: Connections, waitMs: number): void => {
  if (model === undefined) return;
  const make = model.getInvocationModel.bind(model);
  /** An invocation of the gateway, without what was anybody's. */
  let like: Invocation | undefined;

  /** Undefined where no request has come. */
  const withRequest = async (id: string, given: Promise<Arguments>): Promise<Arguments | undefined> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, waitMs, undefined).unref();
    });
    try {
      return await Promise.race([given, late]);
    } finally {
      clearTimeout(timer);
      connections.expect(id, false);
    }
  };

  model.getInvocationModel = (invocation) => {
    if (!isHttp(invocation)) return make(invocation);
    cleanMetadata(invocation);
    like ??= { ...invocation, request: { ...invocation.request, triggerMetadata: {} } };
    const { invocationId: id } = invocation;
    connections.expect(id, true);
    const making = make(invocation);
    const given = making.getArguments.bind(making);
    making.getArguments = async () => {
      const found = await withRequest(id, given());
      if (found !== undefined) return found;
      // It ends, and is no failure of ours: anyone could make any number of them.
      making.invokeFunction = () => Promise.resolve(undefined);
      making.getResponse = () => Promise.resolve({ invocationId: id });
      return { context: { invocationId: id }, inputs: [] };
    };
    return making;
  };

  // The library keeps what nobody has answered: so it is answered by the library.
  connections.onStray((id) => {
    if (like === undefined) return;
    const making = make({ ...like, invocationId: id });
    making.getArguments().then(
      ({ context }) => making.getResponse(context, strange).catch(() => undefined),
      () => undefined,
    );
  }, waitMs);
};
