// Requests that come slowly, half, or in odd forms.
import { connect } from "node:net";
import { expect } from "vitest";
import { rawWires } from "../../support/wires.ts";
import { until } from "../../support/gateway.ts";
import { callOf, headersOf } from "../calls.ts";
import { ask } from "../client.ts";
import { type Case, type Holds, key, maxBodyBytes, type PlatformUnderTest, type Topic } from "../platform.ts";
import { says } from "../provider.ts";

const wire = "openai-chat";
const { whole } = rawWires[wire];

/** What comes back on a socket where these bytes are written, until its end or until it fits. */
const talk = (under: PlatformUnderTest, pieces: readonly string[], fits: (text: string) => boolean): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(under.url);
    const socket = connect(Number(port), hostname);
    let text = "";
    const over = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (fits(text)) over();
    });
    socket.on("end", over);
    socket.on("error", (error) => (text === "" ? reject(error) : over()));
    socket.on("connect", () => {
      void (async () => {
        for (const piece of pieces) {
          socket.write(piece);
          await new Promise((go) => void setTimeout(go, 5));
        }
      })();
    });
  });

const servesOn = async (under: PlatformUnderTest): Promise<void> => {
  const { model } = under.provider.play(says(whole));
  expect((await ask(under.url, callOf(wire, model))).json()).toEqual(whole);
};

const head = (length: number): string =>
  `POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.example\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;

/** A method that takes no body is what it is with one, too. */
const bodied = (method: string, body: string, status: number): Case => ({
  name: `a ${method} with a body is a ${method}`,
  run: async (under) => {
    const answer = await ask(under.url, { method, path: "/v1/models", headers: headersOf(wire), body });
    expect(answer.status).toBe(status);
    await servesOn(under);
  },
});

const cases: Case[] = [
  {
    name: "a body that comes in many small pieces",
    run: async (under) => {
      const { model, heard } = under.provider.play(says(whole));
      const body = String(callOf(wire, model).body);
      const middle = Math.floor(body.length / 2);
      const pieces = [head(body.length), body.slice(0, 3), body.slice(3, middle), body.slice(middle)];
      expect(await talk(under, pieces, (text) => text.includes("Hello"))).toMatch(/^HTTP\/1\.1 200 /);
      expect(JSON.parse(heard[0]?.text ?? "")).toMatchObject({ model });
    },
  },
  {
    name: "a client that leaves in the middle of its body, of a told length or in pieces: nothing is asked of anyone",
    run: async (under) => {
      const { model, heard } = under.provider.play(says(whole));
      const body = String(callOf(wire, model).body);
      const inPieces = `${head(0).replace("content-length: 0", "transfer-encoding: chunked")}${body.length.toString(16)}\r\n${body}\r\n`;
      const { hostname, port } = new URL(under.url);
      for (const text of [head(body.length) + body.slice(0, -5), inPieces, inPieces.slice(0, -9)]) {
        const socket = connect(Number(port), hostname);
        const closed = new Promise((resolve) => void socket.once("close", resolve));
        socket.write(text, () => socket.destroy());
        await closed;
        await servesOn(under);
      }
      expect(heard).toHaveLength(0);
    },
  },
  bodied("GET", '{"ignored":true}', 200),
  bodied("DELETE", "{}", 405),
  {
    name: "a body too large is refused while its client waits to be told to send it, or after",
    run: async (under) => {
      const call = { ...callOf(wire, "weft"), body: "x".repeat(maxBodyBytes + 1), expectContinue: true };
      const answer = await ask(under.url, call);
      expect(answer.status).toBe(413);
      await servesOn(under);
    },
  },
  {
    name: "two lengths, or a length and pieces, are refused: nobody smuggles a second request",
    run: async (under) => {
      const before = under.provider.calls();
      const base = `POST /v1/chat/completions HTTP/1.1\r\nhost: gateway.example\r\nauthorization: Bearer ${key}\r\nconnection: close\r\n`;
      for (const more of [
        "content-length: 4\r\ncontent-length: 5\r\n\r\nabcde",
        "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: gzip, chunked, identity\r\n\r\n0\r\n\r\n",
      ])
        expect(await talk(under, [base + more], () => false)).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect(under.provider.calls()).toBe(before);
      await servesOn(under);
    },
  },
  {
    name: "forty clients that leave at once leave nothing behind",
    run: async (under) => {
      const calls = Math.min(40, under.facts.atOnce?.calls ?? 40);
      const { hostname, port } = new URL(under.url);
      const gate = Promise.withResolvers<void>();
      const { model, heard } = under.provider.play(async (out) => {
        out.head(200, { "content-type": "text/event-stream" });
        await out.write(rawWires[wire].begin);
        await gate.promise;
        out.end(rawWires[wire].end);
      });
      const body = String(callOf(wire, model, { stream: true }).body);
      const sockets = Array.from({ length: calls }, () => {
        const socket = connect(Number(port), hostname);
        socket.on("error", () => undefined).resume();
        socket.write(head(body.length) + body);
        return socket;
      });
      await until(() => heard.length === calls, "all are heard");
      for (const socket of sockets) socket.destroy();
      gate.resolve();
      await Promise.all(heard.map((each) => each.whole));
      await servesOn(under);
    },
  },
];

/** Half of a body in pieces, and no more. */
const halfBody =
  `POST /v1/messages HTTP/1.1\r\nhost: gateway.example\r\nx-api-key: ${key}\r\nanthropic-version: 2023-06-01\r\n` +
  'content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{"model":\r\n';

const stalls = (endsSlowBodies: Holds): Case =>
  endsSlowBodies === true
    ? {
        name: "a body that stops coming is a 408 in the wire's envelope",
        run: async (under) => {
          const text = await talk(under, [halfBody], (got) => got.endsWith("}"));
          expect(text).toMatch(/^HTTP\/1\.1 408 /);
          rawWires["anthropic-messages"].envelope(JSON.parse(text.slice(text.indexOf("\r\n\r\n"))));
          await servesOn(under);
        },
      }
    : {
        name: `a body that stops coming is nothing yet: ${endsSlowBodies.not}`,
        run: async (under) => {
          const { hostname, port } = new URL(under.url);
          const socket = connect(Number(port), hostname);
          socket.write(halfBody);
          await servesOn(under);
          expect(socket.bytesRead).toBe(0);
          socket.destroy();
        },
      };

export const uploads: Topic = ({ endsSlowBodies }) => [...cases, stalls(endsSlowBodies)];
