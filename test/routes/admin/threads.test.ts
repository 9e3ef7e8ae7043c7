// Threads as an administrator sees them: that they are there, not what is in them.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newThread } from "../threads/client.ts";
import { dataOf, expectProblem, keyOf, type Place, startAdmin, threadClient } from "./client.ts";

let place: Place;
let thread: string;
beforeAll(async () => {
  place = await startAdmin();
  thread = await newThread(threadClient(place.gateway, keyOf("member")), {
    title: "canary-title",
    system: "canary-system",
    metadata: { about: "canary-metadata" },
    messages: [{ role: "user", parts: [{ type: "text", text: "canary-prompt" }] }],
  });
});
afterAll(() => place.stop());

describe("an owner's threads", () => {
  test("are listed for an administrator without a word of their content", async () => {
    const list = await place.as("admin").get("/threads?owner=member");
    expect(dataOf(list)).toMatchObject([{ id: thread, owner: "member", tenant: "acme", message_count: 1 }]);
    expect(list.text).not.toContain("canary");
    expect(dataOf(await place.as("root").get("/threads?owner=member&tenant=acme"))).toHaveLength(1);
  });

  test("are none of another tenant's, nor of lesser roles' business", async () => {
    expect(dataOf(await place.as("rival").get("/threads?owner=member"))).toEqual([]);
    expectProblem(await place.as("rival").get("/threads?owner=member&tenant=acme"), 403, "permission", "tenant");
    for (const role of ["viewer", "member", "operator"] as const)
      expectProblem(await place.as(role).get("/threads?owner=member"), 403, "permission");
    expectProblem(
      await place.as("rival").call("DELETE", `/threads/${thread}?owner=member`),
      404,
      "not_found",
      "thread_id",
    );
    expectProblem(await place.as("admin").get(`/threads/${thread}/export?owner=viewer`), 404, "not_found", "thread_id");
    expectProblem(await place.as("admin").get("/threads"), 400, "invalid_request", "owner");
  });

  test("are exported and deleted, and the audit log says by whom, without their content (F41)", async () => {
    const exported = await place.as("admin").get(`/threads/${thread}/export?owner=member`);
    expect(exported.status).toBe(200);
    expect(exported.text).toContain("canary-prompt");
    const deleted = await place.as("admin").call("DELETE", `/threads/${thread}?owner=member`);
    expect(deleted.body).toEqual({ id: thread, object: "thread.deleted", deleted: true });
    expect(dataOf(await place.as("admin").get("/threads?owner=member"))).toEqual([]);

    const audit = await place.as("admin").get("/audit?action=threads.*");
    expect(dataOf(audit)).toMatchObject([
      {
        action: "threads.delete",
        target: thread,
        outcome: "done",
        actor: { name: "admin" },
        changes: { owner: "member" },
      },
      { action: "threads.export", target: thread, outcome: "done", request_id: exported.headers.get("x-request-id") },
      { action: "threads.list", outcome: "refused", actor: { key: "config:operator" } },
      { action: "threads.list", outcome: "refused", actor: { key: "config:member" } },
      { action: "threads.list", outcome: "refused", actor: { key: "config:viewer" } },
    ]);
    expect(audit.text).not.toContain("canary");
    // What another tenant tried stands in its own log.
    expect(dataOf(await place.as("rival").get("/audit"))).toMatchObject([
      { action: "threads.list", outcome: "refused" },
    ]);
  });
});
