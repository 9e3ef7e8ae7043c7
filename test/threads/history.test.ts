import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Message, Part } from "../../lib/model/message.ts";
import { providerHistory } from "../../lib/threads/history.ts";
import type { StoredMessage } from "../../lib/threads/message-items.ts";
import { calls, results, says } from "./setup.ts";

const stored = (
  messages: readonly (Message & { maker?: string; partial?: boolean; deleted?: boolean })[],
): StoredMessage[] =>
  messages.map(({ maker, partial, deleted, ...message }, seq) =>
    Object.assign(
      { id: `m${seq}`, thread: "t", seq, parentSeq: seq - 1, createdAt: 0, message, tokens: 1, pathTokens: seq + 1 },
      maker === undefined ? {} : { maker },
      partial === undefined ? {} : { partial },
      deleted === undefined ? {} : { deleted },
    ),
  );
const history = (messages: Parameters<typeof stored>[0], maker = "anthropic"): Message[] =>
  providerHistory(stored(messages), maker);

const thought = (origin: string): Message => ({
  role: "assistant",
  id: "msg_1",
  parts: [
    { type: "reasoning", text: "hm", id: "rs_1", opaque: { origin, data: "EqQB+/=sig" } },
    { type: "text", text: "answer", id: "t_1" },
  ],
});

describe("opaque state", () => {
  test("goes back to its maker byte for byte, ids and all (F10, F48)", () => {
    const message = thought("anthropic");
    expect(history([says("user", "q"), { ...message, maker: "anthropic" }])[1]).toEqual(message);
  });

  test("never reaches another: the visible words do, without signature or ids (F12, F48)", () => {
    const [, message] = history([says("user", "q"), { ...thought("openai"), maker: "openai" }]);
    expect(message).toEqual({
      role: "assistant",
      parts: [
        { type: "reasoning", text: "hm" },
        { type: "text", text: "answer" },
      ],
    });
  });

  test("what is hidden altogether goes; what has a plain form is told in it (F11, F48)", () => {
    const parts: Part[] = [
      { type: "reasoning", text: "", redacted: true, opaque: { origin: "anthropic", data: "x" } },
      { type: "opaque", wire: "anthropic-messages", origin: "anthropic", value: { a: 1 }, text: "searched" },
      { type: "opaque", wire: "anthropic-messages", origin: "anthropic", value: { b: 1 } },
      { type: "opaque", wire: "openai-chat", value: { c: 1 } },
    ];
    const messages = [says("user", "q"), { role: "assistant" as const, parts, maker: "anthropic" }];
    expect(history(messages, "anthropic")[1]?.parts).toEqual(parts);
    expect(history(messages, "openai")[1]?.parts).toEqual([{ type: "text", text: "searched" }, parts[3]]);
  });

  test("thought signatures stay on their parts through a tool loop (F14)", () => {
    const call: Part = {
      type: "tool-call",
      callId: "c",
      name: "f",
      arguments: "{}",
      opaque: { origin: "google", data: "s" },
    };
    const messages = [says("user", "q"), { role: "assistant" as const, parts: [call], maker: "google" }, results("c")];
    expect(history(messages, "google")[1]?.parts).toEqual([call]);
    expect(history(messages, "openai")[1]?.parts).toEqual([
      { type: "tool-call", callId: "c", name: "f", arguments: "{}" },
    ]);
  });
});

/** What every provider demands of calls and results. */
const isValid = (messages: readonly Message[]): void => {
  for (const [at, message] of messages.entries()) {
    const open = new Set(message.parts.flatMap((part) => (part.type === "tool-call" ? [part.callId] : [])));
    if (message.role === "assistant") {
      const before = messages[at - 1];
      if (before?.role === "assistant")
        for (const part of before.parts) if (part.type === "tool-call") open.add(part.callId);
    }
    for (const part of message.parts) {
      expect(part.type === "tool-result" && message.role !== "user").toBe(false);
      expect(part.type === "tool-call" && message.role !== "assistant").toBe(false);
    }
    expect(message.parts.length).toBeGreaterThan(0);
  }
  // Round by round: the calls of what was said are answered by what comes next, each once and nothing else.
  let open: string[] = [];
  for (const [at, message] of messages.entries()) {
    const asked = message.parts.flatMap((part) => (part.type === "tool-call" ? [part.callId] : []));
    const answered = message.parts.flatMap((part) => (part.type === "tool-result" ? [part.callId] : []));
    if (message.role === "assistant") {
      if (messages[at - 1]?.role !== "assistant") expect(open).toEqual([]);
      open.push(...asked);
    } else {
      expect(answered.toSorted()).toEqual(messages[at - 1]?.role === "assistant" ? open.toSorted() : []);
      open = [];
    }
  }
};

describe("calls and results", () => {
  test("an open call at the end stays open", () => {
    const messages = [says("user", "q"), calls("c")];
    expect(history(messages)).toEqual(messages);
  });

  test("whole rounds stay as they are", () => {
    const messages = [says("user", "q"), calls("a", "b"), results("a", "b"), says("assistant", "done")];
    expect(history(messages)).toEqual(messages);
  });

  test("a call that was never answered is answered for (F51)", () => {
    const repaired = history([says("user", "q"), calls("a", "b"), results("b"), says("user", "go on")]);
    isValid(repaired);
    expect(repaired[2]?.parts).toMatchObject([
      { type: "tool-result", callId: "b" },
      { type: "tool-result", callId: "a", name: "look", isError: true },
    ]);
    expect(repaired[3]).toEqual(says("user", "go on"));
    const dropped = history([says("user", "q"), calls("a"), says("user", "never mind")]);
    isValid(dropped);
    expect(dropped[2]?.parts).toMatchObject([
      { type: "tool-result", callId: "a" },
      { type: "text", text: "never mind" },
    ]);
  });

  test("results of no call go, second results too, and late ones come to their place (F51)", () => {
    const repaired = history([
      results("ghost"),
      says("user", "q"),
      calls("a"),
      says("system", "note"),
      says("user", "and"),
      results("a"),
      results("a"),
      says("assistant", "ok"),
    ]);
    isValid(repaired);
    expect(repaired.map(({ role }) => role)).toEqual(["user", "assistant", "user", "system", "user", "assistant"]);
  });

  test("of an answer that was cut off only what was seen remains (F51)", () => {
    const parts: Part[] = [
      { type: "reasoning", text: "half a thought" },
      { type: "text", text: "half an answer" },
      { type: "tool-call", callId: "c", name: "f", arguments: '{"a' },
    ];
    expect(history([says("user", "q"), { role: "assistant", parts, partial: true }, says("user", "on")])).toEqual([
      says("user", "q"),
      says("assistant", "half an answer"),
      says("user", "on"),
    ]);
  });

  test("the same id in two rounds, or several messages of one round, are no orphans", () => {
    const messages = [says("user", "q"), calls("0"), results("0"), calls("0"), calls("1"), results("0", "1")];
    expect(history(messages)).toEqual(messages);
  });

  test("removed messages leave a valid history", () => {
    const repaired = history([says("user", "q"), { ...calls("a"), deleted: true }, results("a"), says("user", "z")]);
    isValid(repaired);
    expect(repaired).toEqual([says("user", "q"), says("user", "z")]);
  });

  test("whatever was stored, what is sent has calls and results in pairs (F51)", () => {
    const id = fc.constantFrom("a", "b", "c");
    const any = fc.oneof(
      fc.constantFrom(says("user", "u"), says("assistant", "t"), says("system", "s")),
      fc.uniqueArray(id, { minLength: 1 }).map((ids) => calls(...ids)),
      fc.uniqueArray(id, { minLength: 1 }).map((ids) => results(...ids)),
      fc.uniqueArray(id, { minLength: 1 }).map((ids) => Object.assign(calls(...ids), { partial: true })),
      id.map((each) => ({ role: "user" as const, parts: [...results(each).parts, ...says("user", "mixed").parts] })),
    );
    fc.assert(
      fc.property(fc.array(any, { maxLength: 14 }), (messages) => {
        const repaired = history(messages);
        isValid(repaired);
        expect(history(repaired)).toEqual(repaired);
      }),
      { numRuns: 500 },
    );
  });
});
