// What the host tells the library of an HTTP invocation beside the request: the headers once more, as JSON. The library makes a `Headers` of
// them before any handler runs, and what can't be one (a value in UTF-8 that is no Latin-1; a member `Headers` of the caller's query or body,
// which takes their place) makes it throw: the caller would wait for an answer until the host gives it up (F59).
import { createRequire } from "node:module";

type Data = { json?: string | null; string?: string | null };
type Invocation = { request: { triggerMetadata?: Record<string, Data | undefined> | null } };
type Model = { getInvocationModel: (invocation: Invocation) => unknown };

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const printable = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Those that can stand in a `Headers`; undefined where it is no object of headers at all. */
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

/** Of what the library calls itself at the worker; undefined outside of the host. */
const modelOf = (): Model | undefined => {
  try {
    const core = createRequire(import.meta.url)("@azure/functions-core") as { getProgrammingModel: () => Model };
    return core.getProgrammingModel();
  } catch {
    return undefined;
  }
};

/** To be called once, when a function has been registered: the library makes itself known with the first. The request's own headers are read off its connection, and lack nothing. */
export const cleanMetadata = (): void => {
  const model = modelOf();
  if (model === undefined) return;
  const make = model.getInvocationModel.bind(model);
  model.getInvocationModel = (invocation) => {
    const { triggerMetadata } = invocation.request;
    const headers = triggerMetadata?.["Headers"];
    if (triggerMetadata && headers) {
      const clean = usable(headers);
      if (clean === undefined) delete triggerMetadata["Headers"];
      else triggerMetadata["Headers"] = clean;
    }
    return make(invocation);
  };
};
