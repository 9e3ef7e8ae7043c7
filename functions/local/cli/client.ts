// The gateway's admin API, as the commands ask it.
import type { Given } from "./arguments.ts";
import { Failure, type Io, UsageError } from "./io.ts";

export type Client = {
  /** The parsed body. Throws Failure with the server's own words. `query`: what is undefined is left out. */
  call: (method: string, path: string, options?: CallOptions) => Promise<unknown>;
  /** As it came, piece by piece: exports, CSV. */
  download: (path: string, query?: Query) => AsyncGenerator<string>;
};
type Query = Readonly<Record<string, string | undefined>>;
type CallOptions = { query?: Query; body?: unknown };

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

const problemText = (status: number, text: string): string => {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null) {
      if ("detail" in body && typeof body.detail === "string") return body.detail;
      if ("error" in body && typeof body.error === "object" && body.error !== null && "message" in body.error)
        return String(body.error.message);
    }
  } catch {
    // No gateway's answer: its text may be a page.
  }
  return `the server answered ${status}`;
};

/** `--url` and `--key`, or the environment's. */
export const clientOf = (given: Given, io: Io): Client => {
  const address = given.text("url") ?? io.env["HEDDLE_URL"] ?? "http://127.0.0.1:8787";
  if (!URL.canParse(address) || !/^https?:\/\//.test(address))
    throw new UsageError("--url: expected an address such as http://127.0.0.1:8787");
  const base = new URL(address);
  const key = given.text("key") ?? io.env["HEDDLE_KEY"] ?? "";
  if (key !== "" && base.protocol === "http:" && !loopback.test(base.hostname))
    io.err(`warning: the key goes to ${base.host} without encryption: use https\n`);

  const send = async (method: string, path: string, { query = {}, body }: CallOptions): Promise<Response> => {
    const url = new URL(`${base.pathname.replace(/\/$/, "")}/v1/admin${path}`, base);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    let response: Response;
    try {
      response = await fetch(url, {
        method,
        headers: {
          ...(key === "" ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: "error",
      });
    } catch {
      throw new Failure(`no gateway can be reached at ${base.origin}: is it running? (--url, HEDDLE_URL)`);
    }
    if (response.ok) return response;
    const hint = response.status === 401 ? " (HEDDLE_KEY)" : "";
    throw new Failure(`${problemText(response.status, await response.text())}${hint}`);
  };

  return {
    call: async (method, path, options = {}) => {
      const text = await (await send(method, path, options)).text();
      try {
        return JSON.parse(text) as unknown;
      } catch {
        throw new Failure(`${base.origin} is no Heddle gateway, or an older one`);
      }
    },
    download: async function* (path, query = {}) {
      const { body } = await send("GET", path, { query });
      if (body === null) return;
      const decoder = new TextDecoder();
      for await (const piece of body) yield decoder.decode(piece, { stream: true });
      yield decoder.decode();
    },
  };
};
