// Threads over HTTP: make, list, read, change, delete.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Client, clientOf, dataOf, expectProblem, newThread, startThreads, textAt } from "./client.ts";

let running: Awaited<ReturnType<typeof startThreads>>;
let client: Client;
beforeAll(async () => {
  running = await startThreads();
  client = clientOf(running.gateway);
});
afterAll(() => running.stop());

describe("making a thread", () => {
  test("an empty body makes an empty thread", async () => {
    for (const body of [undefined, {}, { title: null, metadata: null, messages: null }]) {
      const made = await client.post("", body);
      expect(made.status, made.text).toBe(201);
      expect(made.headers.get("etag")).toBe('"1"');
      expect(made.body).toEqual({
        id: expect.stringMatching(/^thread_[A-Za-z0-9]{24}$/),
        object: "thread",
        created_at: expect.any(Number),
        updated_at: expect.any(Number),
        title: null,
        metadata: {},
        system: null,
        context: { strategy: "window" },
        retention_seconds: null,
        expires_at: null,
        message_count: 0,
        active_leaf_id: null,
        run_id: null,
        status: "idle",
        revision: 1,
      });
    }
  });

  test("everything that it can be given is told again", async () => {
    const made = await client.post("", {
      id: "made-1",
      title: "Plans",
      metadata: { team: "blue" },
      system: "Be brief. ".repeat(500),
      context: { strategy: "none" },
      retention_seconds: 3600,
      messages: [
        { role: "user", content: "Hello", client_id: "c1", metadata: { from: "test" } },
        { role: "assistant", parts: [{ type: "text", text: "Hi" }] },
      ],
    });
    expect(made.status, made.text).toBe(201);
    expect(made.body).toMatchObject({
      id: "made-1",
      title: "Plans",
      metadata: { team: "blue" },
      system: "Be brief. ".repeat(500),
      context: { strategy: "none" },
      retention_seconds: 3600,
      message_count: 2,
      active_leaf_id: expect.stringMatching(/^msg_/),
    });
    expect(Number(made.body["expires_at"]) - Number(made.body["created_at"])).toBe(3_600_000);
    expect((await client.get("/made-1")).body).toEqual(made.body);
    expect((await client.get("?title_prefix=plans")).body["data"]).toEqual([made.body]);
  });

  test("an id is taken once, or its thread is returned", async () => {
    await newThread(client, { id: "twice", title: "first" });
    expectProblem(await client.post("", { id: "twice" }), 409, "conflict", "id");
    const again = await client.post("", {
      id: "twice",
      if_exists: "return",
      title: "second",
      messages: [{ role: "user", content: "x" }],
    });
    expect(again.status).toBe(200);
    expect(again.body).toMatchObject({ id: "twice", title: "first", message_count: 0 });
  });

  test.each([
    [{ id: "" }, "id"],
    [{ id: "a/b" }, "id"],
    [{ id: 7 }, "id"],
    [{ if_exists: "maybe" }, "if_exists"],
    [{ title: 1 }, "title"],
    [{ title: "x".repeat(501) }, "title"],
    [{ metadata: [] }, "metadata"],
    [{ metadata: { a: 1 } }, "metadata.a"],
    [{ metadata: { "": "x" } }, "metadata"],
    [{ metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, "v"])) }, "metadata"],
    [{ system: {} }, "system"],
    [{ context: "window" }, "context"],
    [{ context: {} }, "context.strategy"],
    [{ context: { strategy: "best" } }, "context.strategy"],
    [{ retention_seconds: 0 }, "retention_seconds"],
    [{ retention_seconds: 1.5 }, "retention_seconds"],
    [{ titel: "x" }, "titel"],
    [{ messages: {} }, "messages"],
    [{ messages: [7] }, "messages[0]"],
    [{ messages: [{ content: "x" }] }, "messages[0].role"],
    [{ messages: [{ role: "user" }] }, "messages[0].content"],
    [{ messages: [{ role: "user", content: "" }] }, "messages[0].content"],
    [{ messages: [{ role: "user", content: "x", parts: [] }] }, "messages[0].parts"],
    [{ messages: [{ role: "user", parts: [] }] }, "messages[0].parts"],
    [
      { messages: [{ role: "user", parts: [{ type: "text", text: "x" }, { type: "song" }] }] },
      "messages[0].parts[1].type",
    ],
    [{ messages: [{ role: "user", parts: [{ type: "tool-call" }] }] }, "messages[0].parts[0].type"],
    [{ messages: [{ role: "user", parts: [{ type: "text" }] }] }, "messages[0].parts[0].text"],
    [{ messages: [{ role: "user", parts: [{ type: "text", text: "x", opaque: {} }] }] }, "messages[0].parts[0].opaque"],
    [{ messages: [{ role: "user", parts: [{ type: "image" }] }] }, "messages[0].parts[0].source"],
    [
      { messages: [{ role: "user", parts: [{ type: "image", source: { kind: "url", url: "file:///etc/passwd" } }] }] },
      "messages[0].parts[0].source.url",
    ],
    [
      { messages: [{ role: "user", parts: [{ type: "image", source: { kind: "base64", data: "AAAA" } }] }] },
      "messages[0].parts[0].source.media_type",
    ],
    [
      { messages: [{ role: "assistant", parts: [{ type: "tool-call", call_id: "c", name: "n", arguments: "[" }] }] },
      "messages[0].parts[0].arguments",
    ],
    [
      {
        messages: [{ role: "user", parts: [{ type: "tool-result", call_id: "c", parts: [{ type: "tool-result" }] }] }],
      },
      "messages[0].parts[0].parts[0].type",
    ],
    [{ messages: [{ role: "user", content: "x", client_id: "" }] }, "messages[0].client_id"],
    [
      {
        messages: [
          { role: "user", content: "x", client_id: "same" },
          { role: "user", content: "y", client_id: "same" },
        ],
      },
      "messages[1].client_id",
    ],
  ])("%j is refused by the name of its field", async (body, param) => {
    expectProblem(await client.post("", { id: "never-made", ...body }), 400, "invalid_request", param);
    expect((await client.get("/never-made")).status).toBe(404);
  });

  test.each(["[]", "7", "{", "null", "\u00ff\u00fe"])("%j is no body", async (body) => {
    const answer = await client.post("", body);
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });
});

describe("listing threads", () => {
  test("pages, newest first, by title and by metadata", async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1)
      ids.push(
        await newThread(client, {
          id: `list-${n}`,
          title: `List ${n}`,
          metadata: { odd: String(n % 2), kind: "listed" },
        }),
      );
    const all = await client.get("?limit=100&metadata[kind]=listed");
    expect(dataOf(all).map(({ id }) => id)).toEqual(ids.toReversed());
    expect(all.body["has_more"]).toBe(false);
    expect(all.body).not.toHaveProperty("next_cursor");
    const odd = await client.get("?metadata[odd]=1&metadata[kind]=listed");
    expect(dataOf(odd).map(({ id }) => id)).toEqual(["list-3", "list-1"]);
    expect(dataOf(await client.get("?title_prefix=LIST%203")).map(({ id }) => id)).toEqual(["list-3"]);
    expect(dataOf(await client.get("?title_prefix=nothing"))).toEqual([]);

    const paged: unknown[] = [];
    let cursor = "";
    for (let pages = 0; pages < 10; pages += 1) {
      const page = await client.get(`?limit=2&metadata[kind]=listed${cursor}`);
      paged.push(...dataOf(page).map(({ id }) => id));
      if (page.body["has_more"] === false) break;
      cursor = `&cursor=${encodeURIComponent(textAt(page, "next_cursor"))}`;
    }
    expect(paged).toEqual(ids.toReversed());
  });

  test.each([
    ["limit=0", "limit"],
    ["limit=101", "limit"],
    ["limit=x", "limit"],
    ["limit=", "limit"],
    ["cursor=nobody-gave-this-out", "cursor"],
    ["metadata[]=x", "metadata"],
  ])("?%s is refused", async (query, param) => {
    expectProblem(await client.get(`?${query}`), 400, "invalid_request", param);
  });
});

describe("changing a thread", () => {
  test("changes what is named, removes what is null, moves the entity tag", async () => {
    const id = await newThread(client, {
      title: "Old",
      metadata: { a: "1", b: "2" },
      system: "S",
      retention_seconds: 60,
    });
    const first = await client.call("PATCH", `/${id}`, { title: "New" });
    expect(first.status, first.text).toBe(200);
    expect(first.headers.get("etag")).toBe('"2"');
    expect(first.body).toMatchObject({ title: "New", metadata: { a: "1", b: "2" }, system: "S", revision: 2 });
    const second = await client.call("PATCH", `/${id}`, {
      title: null,
      metadata: { c: "3" },
      system: null,
      context: { strategy: "summarize" },
      retention_seconds: null,
    });
    expect(second.body).toMatchObject({
      title: null,
      metadata: { c: "3" },
      system: null,
      context: { strategy: "summarize" },
      retention_seconds: null,
      expires_at: null,
      revision: 3,
    });
    expect((await client.get(`/${id}`)).body).toEqual(second.body);
    expect(dataOf(await client.get("?metadata[a]=1")).map((thread) => thread["id"])).not.toContain(id);
    expect(dataOf(await client.get("?metadata[c]=3")).map((thread) => thread["id"])).toEqual([id]);
  });

  test("if-match changes only what was read", async () => {
    const id = await newThread(client);
    const read = (await client.get(`/${id}`)).headers.get("etag") ?? "";
    const patch = (title: string, match: string): ReturnType<Client["call"]> =>
      client.call("PATCH", `/${id}`, { title }, { "if-match": match });
    expect((await patch("mine", read)).status).toBe(200);
    expectProblem(await patch("too late", read), 412, "precondition_failed", "if-match");
    expect((await patch("any", "*")).status).toBe(200);
    expect((await patch("one of them", '"1", "3"')).status).toBe(200);
    expectProblem(await patch("x", "3"), 400, "invalid_request", "if-match");
    expectProblem(await patch("x", '"no number"'), 412, "precondition_failed", "if-match");
    expect((await client.get(`/${id}`)).body).toMatchObject({ title: "one of them", revision: 4 });
  });

  test("of many at once under one entity tag one wins", async () => {
    const id = await newThread(client);
    const statuses = await Promise.all(
      [1, 2, 3, 4].map(
        async (n) => (await client.call("PATCH", `/${id}`, { title: `t${n}` }, { "if-match": '"1"' })).status,
      ),
    );
    expect(statuses.sort((a, b) => a - b)).toEqual([200, 412, 412, 412]);
  });

  test.each([
    [{ title: 5 }, "title"],
    [{ id: "x" }, "id"],
    [{ metadata: { a: null } }, "metadata.a"],
    [{ context: { strategy: null } }, "context.strategy"],
  ])("%j is refused", async (body, param) => {
    const id = await newThread(client);
    expectProblem(await client.call("PATCH", `/${id}`, body), 400, "invalid_request", param);
    expect((await client.get(`/${id}`)).body["revision"]).toBe(1);
  });
});

test("a deleted thread is gone with all that was in it, and its id is free", async () => {
  const id = await newThread(client, { id: "short-lived", messages: [{ role: "user", content: "x" }] });
  const gone = await client.call("DELETE", `/${id}`);
  expect(gone.status).toBe(200);
  expect(gone.body).toEqual({ id, object: "thread.deleted", deleted: true });
  for (const path of ["", "/messages", "/runs", "/export", "/usage"])
    expectProblem(await client.get(`/${id}${path}`), 404, "not_found", "thread_id");
  expectProblem(await client.call("DELETE", `/${id}`), 404, "not_found", "thread_id");
  await newThread(client, { id });
  expect(dataOf(await client.get(`/${id}/messages`))).toEqual([]);
});

test("methods that a path doesn't take are named", async () => {
  const id = await newThread(client);
  const answer = await client.call("PUT", `/${id}`, {});
  expectProblem(answer, 405, "method_not_allowed");
  expect(answer.headers.get("allow")).toBe("GET, PATCH, DELETE");
  expect((await client.send("HEAD", `/${id}`)).headers.get("etag")).toBe('"1"');
  expectProblem(await client.get("/%E0%A4%A"), 400, "invalid_request");
  expectProblem(await client.get(`/${"x".repeat(4000)}`), 404, "not_found", "thread_id");
});
