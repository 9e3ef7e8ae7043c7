// Media by URL: what is fetched, what is refused, and how far a caller can reach through the gateway. Real hosts, an injected resolver.
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { isPrivateAddress } from "../../lib/http/address.ts";
import { createMediaFetcher, type MediaFetchOptions, type MediaFetcher } from "../../lib/http/media-fetch.ts";
import { inlineMedia } from "../../lib/http/media.ts";
import type { Message, Part } from "../../lib/model/message.ts";
import type { ChatRequest } from "../../lib/model/request.ts";
import { jsonAnswer, startGateway, startUpstream, type TestGateway, type TestUpstream } from "../support/gateway.ts";
import { providersYaml, rawWires } from "../support/wires.ts";

const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

let answer: RequestListener = (_request, response) => void response.end();
let asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(request.url ?? "");
  answer(request, response);
});
let port = 0;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => {
  asked = [];
  answer = (_request, response) => {
    response.writeHead(200, { "content-type": "image/png" });
    response.end(png);
  };
});

const never = new AbortController().signal;
/** What the tests' host is to a fetcher that would else refuse it: its own address alone is taken for a public one. */
const here: MediaFetchOptions = {
  isForbidden: (address) => address !== "127.0.0.1" && isPrivateAddress(address),
  resolve: (host) =>
    Promise.resolve(host === "media.example" ? ["127.0.0.1"] : host === "inside.example" ? ["10.0.0.5"] : []),
};
const fetchHere = createMediaFetcher(here);
const at = (path: string, host = "media.example"): string => `http://${host}:${port}${path}`;

describe("where a caller can't reach", () => {
  const guarded = createMediaFetcher({
    resolve: (host) => Promise.resolve(host.startsWith("six.") ? ["::ffff:127.0.0.1"] : ["127.0.0.1"]),
  });

  test.each([
    ["loopback", () => at("/x", "127.0.0.1")],
    ["loopback in other spellings", () => at("/x", "2130706433")],
    ["loopback in hexadecimal", () => at("/x", "0x7f.1")],
    ["loopback in short", () => at("/x", "127.1")],
    ["loopback by IPv6", () => at("/x", "[::1]")],
    ["loopback mapped into IPv6", () => at("/x", "[::ffff:127.0.0.1]")],
    ["the clouds' metadata", () => "http://169.254.169.254/latest/meta-data/"],
    ["containers' credentials", () => "http://169.254.170.2/v2/credentials"],
    ["metadata by IPv6", () => "http://[fd00:ec2::254]/latest/meta-data/"],
    ["a private network", () => "http://10.0.0.1/"],
    ["a name that means loopback", () => at("/x", "public.example")],
    ["a name that means a mapped loopback", () => at("/x", "six.example")],
    ["localhost", () => at("/x", "localhost.")],
  ])("%s", async (_name, url) => {
    await expect(guarded(url(), never)).rejects.toThrow("not public");
    expect(asked).toEqual([]);
  });

  test("a name of which but one address is inside", async () => {
    const mixed = createMediaFetcher({ ...here, resolve: () => Promise.resolve(["127.0.0.1", "192.168.0.1"]) });
    await expect(mixed(at("/x"), never)).rejects.toThrow("not public");
    expect(asked).toEqual([]);
  });

  test("a name that changes its address after it was looked up: there is one look-up, the connection's", async () => {
    let lookups = 0;
    const rebinding = createMediaFetcher({
      ...here,
      resolve: () => {
        lookups += 1;
        return Promise.resolve([lookups === 1 ? "127.0.0.1" : "10.0.0.5"]);
      },
    });
    expect((await rebinding(at("/x"), never)).bytes).toHaveLength(png.length);
    expect(lookups).toBe(1);
    await expect(rebinding(at("/x"), never)).rejects.toThrow("not public");
    expect(asked).toEqual(["/x"]);
  });

  test.each([
    ["the metadata address", "http://169.254.169.254/latest/"],
    ["a private name", "http://inside.example/"],
    ["loopback by IPv6", "http://[::1]/"],
    ["a file", "file:///etc/passwd"],
    ["credentials", "http://user:secret@media.example/"],
  ])("by a redirect to %s", async (_name, location) => {
    answer = (_request, response) => void response.writeHead(302, { location }).end();
    await expect(fetchHere(at("/start"), never)).rejects.toThrow(/not public|only http|credentials/);
    expect(asked).toEqual(["/start"]);
  });

  test.each([
    "file:///etc/passwd",
    "ftp://media.example/x",
    "gopher://media.example/",
    "javascript:1",
    "no url",
    "http://u:p@media.example/",
  ])("%s", async (url) => {
    await expect(fetchHere(url, never)).rejects.toThrow(/only http|credentials/);
  });
});

describe("what is fetched", () => {
  test("bytes and type, through redirects, with nothing of the caller's", async () => {
    const seen: Record<string, unknown>[] = [];
    const serve = answer;
    answer = (request, response) => {
      seen.push(request.headers);
      if (request.url === "/a") response.writeHead(302, { location: "/b?x=1" }).end();
      else serve(request, response);
    };
    const { bytes, contentType } = await fetchHere(at("/a"), never);
    expect(Buffer.from(bytes).equals(png)).toBe(true);
    expect(contentType).toBe("image/png");
    expect(asked).toEqual(["/a", "/b?x=1"]);
    expect(seen.map((headers) => Object.keys(headers).toSorted())).toEqual(
      [1, 2].map(() => ["accept", "accept-encoding", "connection", "host", "user-agent"]),
    );
  });
  test("not from a ring of redirects", async () => {
    answer = (_request, response) => void response.writeHead(307, { location: "/again" }).end();
    await expect(fetchHere(at("/start"), never)).rejects.toThrow("too many");
    expect(asked).toHaveLength(6);
  });
  test.each([404, 403, 500, 204, 304])("not with HTTP %i", async (status) => {
    answer = (_request, response) => void response.writeHead(status).end();
    await expect(fetchHere(at("/x"), never)).rejects.toThrow(`HTTP ${status}`);
  });
  test("not where the host has no address, or nobody listens", async () => {
    await expect(fetchHere(at("/x", "nowhere.example"), never)).rejects.toThrow("not found");
    await expect(fetchHere("http://media.example:1/", never)).rejects.toThrow("no answer");
  });
  test.each([
    ["told", { "content-length": "5000" }],
    ["not told", {}],
  ])("not above the limit, its size %s", async (_name, headers: Record<string, string>) => {
    const small = createMediaFetcher({ ...here, maxBytes: 1_000 });
    answer = (_request, response) => void response.writeHead(200, headers).end(Buffer.alloc(5_000));
    await expect(small(at("/x"), never)).rejects.toThrow("larger than 1000");
    answer = (_request, response) => void response.writeHead(200).end(Buffer.alloc(1_000));
    expect((await small(at("/x"), never)).bytes).toHaveLength(1_000);
  });
  test.each([
    ["before its head", (): void => undefined],
    ["in its middle", (_request, response): void => void response.writeHead(200).write("x")],
  ] as [string, RequestListener][])("not from a host that stalls %s", async (_name, stall) => {
    const hasty = createMediaFetcher({ ...here, timeoutMs: 60 });
    answer = stall;
    await expect(hasty(at("/x"), never)).rejects.toThrow("too long");
  });
  test("no longer than the caller waits", async () => {
    answer = () => undefined;
    const leaving = new AbortController();
    const pending = fetchHere(at("/x"), leaving.signal);
    setTimeout(() => leaving.abort(), 20);
    await expect(pending).rejects.toMatchObject({ code: "cancelled" });
  });
});

describe("requests with media by URL", () => {
  const requestOf = (...parts: Part[]): ChatRequest => {
    const messages: Message[] = [{ role: "user", parts }];
    return { model: "m", stream: false, system: [], messages, tools: [], sampling: {} };
  };
  const image = (url: string): Part => ({ type: "image", source: { kind: "url", url }, detail: "low" });
  const inline = (request: ChatRequest, fetch: MediaFetcher = fetchHere): Promise<ChatRequest> =>
    inlineMedia(request, { wire: "gemini-generate", target: { dialect: {} }, fetch }, never);

  test("carry bytes to wires that take no URL, from tool results too (F15)", async () => {
    const result: Part = { type: "tool-result", callId: "c", parts: [image(at("/b"))] };
    const { messages } = await inline(
      requestOf({ type: "text", text: "look" }, image(at("/a")), result, image(at("/a"))),
    );
    const source = { kind: "base64", mediaType: "image/png", data: png.toString("base64") };
    expect(messages[0]?.parts).toEqual([
      { type: "text", text: "look" },
      { type: "image", source, detail: "low" },
      { type: "tool-result", callId: "c", parts: [{ type: "image", source, detail: "low" }] },
      { type: "image", source, detail: "low" },
    ]);
    expect(asked.toSorted()).toEqual(["/a", "/b"]);
  });

  test("keep the URL where the wire takes it", async () => {
    const request = requestOf(image(at("/a")));
    const options = { target: { dialect: {} }, fetch: fetchHere };
    for (const wire of ["anthropic-messages", "openai-responses", "openai-chat"] as const)
      expect(await inlineMedia(request, { ...options, wire }, never)).toBe(request);
    expect(asked).toEqual([]);
    const local = { ...options, target: { dialect: { inlineMedia: true } }, wire: "openai-chat" as const };
    expect((await inlineMedia(request, local, never)).messages[0]?.parts[0]).toMatchObject({
      source: { kind: "base64" },
    });
  });

  test("are fetched a few at a time, a hundred at most, and no more once one has failed", async () => {
    let running = 0;
    let most = 0;
    let begun = 0;
    const slow: MediaFetcher = async (url) => {
      begun += 1;
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (url.endsWith("/bad")) throw new Error("broken");
      return { bytes: png, contentType: "image/png" };
    };
    const many = (count: number): Part[] => Array.from({ length: count }, (_, index) => image(at(`/${index}`)));
    const { messages } = await inline(requestOf(...many(100), ...many(100)), slow);
    expect(messages[0]?.parts.every((part) => part.type === "image" && part.source.kind === "base64")).toBe(true);
    expect([begun, most]).toEqual([100, 6]);

    begun = 0;
    await expect(inline(requestOf(...many(101)), slow)).rejects.toMatchObject({
      code: "invalid_request",
      details: { param: "messages[0].content[100]" },
    });
    expect(begun).toBe(0);
    await expect(inline(requestOf(image(at("/bad")), ...many(90)), slow)).rejects.toThrow("broken");
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(begun).toBe(6);
  });

  test("are no more than 64 MB together", async () => {
    let begun = 0;
    const large = Buffer.concat([png, Buffer.alloc(20 * 1024 * 1024)]);
    const fetch: MediaFetcher = async () => {
      begun += 1;
      return { bytes: large, contentType: "image/png" };
    };
    const parts = Array.from({ length: 30 }, (_, index) => image(at(`/${index}`)));
    await expect(inline(requestOf(...parts), fetch)).rejects.toThrow("all media together");
    expect(begun).toBeLessThan(12);
  });

  test("that has no answer is an error that names the part and no address (F16)", async () => {
    answer = (_request, response) => void response.writeHead(404).end();
    const failing = inline(requestOf({ type: "text", text: "look" }, image(at("/secret-path"))));
    await expect(failing).rejects.toMatchObject({
      code: "invalid_request",
      details: { param: "messages[0].content[1]" },
    });
    await expect(failing).rejects.toThrow(/^(?!.*(?:secret-path|example)).*HTTP 404/);
  });

  test.each([
    ["a login page", "text/html", Buffer.from("<html>sign in</html>")],
    ["bytes of no known kind", "application/octet-stream", Buffer.from("????????")],
    ["a document", "application/pdf", Buffer.from("%PDF-1.7")],
    ["nothing that is told", "", Buffer.from("????????")],
  ])("that is %s is no picture (F16)", async (_name, type, bytes) => {
    answer = (_request, response) =>
      void response.writeHead(200, type === "" ? {} : { "content-type": type }).end(bytes);
    await expect(inline(requestOf(image(at("/x"))))).rejects.toThrow("not of the kind image");
  });

  test.each([
    ["image/png; charset=binary", png, "image/png"],
    ["binary/octet-stream", png, "image/png"],
    ["image/jpeg", png, "image/png"],
    ["image/avif", Buffer.from("????"), "image/avif"],
  ])("served as %s are what they are", async (type, bytes, mediaType) => {
    answer = (_request, response) => void response.writeHead(200, { "content-type": type }).end(bytes);
    const { messages } = await inline(requestOf(image(at("/x"))));
    expect(messages[0]?.parts[0]).toMatchObject({ source: { mediaType } });
  });

  test.each([
    ["application/pdf", "application/pdf"],
    ["application/octet-stream", "application/pdf"],
  ])("served as %s are documents by their bytes", async (type, mediaType) => {
    answer = (_request, response) => void response.writeHead(200, { "content-type": type }).end("%PDF-1.7");
    const document: Part = { type: "document", source: { kind: "url", url: at("/x") } };
    expect((await inline(requestOf(document))).messages[0]?.parts[0]).toMatchObject({
      source: { kind: "base64", mediaType },
    });
  });
});

describe("through the gateway", () => {
  let upstream: TestUpstream;
  let gateway: TestGateway;
  beforeAll(async () => {
    upstream = await startUpstream(jsonAnswer(200, rawWires["gemini-generate"].whole));
    gateway = await startGateway(providersYaml(upstream.url));
  });
  afterAll(async () => {
    await gateway.stop();
    await upstream.stop();
  });

  test("a private address is a 400, and neither it nor the provider is asked (F16)", async () => {
    const content = [{ type: "image_url", image_url: { url: at("/x", "127.0.0.1") } }];
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer fake" },
      body: JSON.stringify({ model: "gemini/up", messages: [{ role: "user", content }] }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { param: "messages[0].content[0]", message: expect.stringContaining("not public") },
    });
    expect(asked).toEqual([]);
    expect(upstream.requests).toEqual([]);
  });
});
