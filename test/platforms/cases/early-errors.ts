// What goes wrong before an answer has begun: a status and the wire's envelope, for plain calls and streams alike, and never silence (F55).
import { expect } from "vitest";
import type { ClientWireId } from "../../../lib/model/wire-id.ts";
import { providerOf, rawWires } from "../../support/wires.ts";
import { callOf, headersOf, wireIds } from "../calls.ts";
import { type Answer, ask, type Ask } from "../client.ts";
import type { Case, PlatformUnderTest } from "../platform.ts";
import { says } from "../provider.ts";

const providerKey = (wire: ClientWireId): string => `fake-${providerOf[wire]}-key`;

const onWire = (wire: ClientWireId): Case[] => {
  const both = async (under: PlatformUnderTest, call: (stream: boolean) => Ask): Promise<Answer[]> => {
    const answers = [await ask(under.url, call(false)), await ask(under.url, call(true))];
    for (const { whole, text, headers, json } of answers) {
      expect(whole).toBe(true);
      expect(text).not.toBe("");
      expect(headers["content-type"]).toContain("application/json");
      rawWires[wire].envelope(json());
    }
    return answers;
  };
  const statuses = (answers: readonly Answer[]): number[] => answers.map(({ status }) => status);
  return [
    {
      name: `${wire}: no key, and a wrong one`,
      run: async (under) => {
        const before = under.provider.calls();
        for (const given of ["fake-wrong-key", ""]) {
          const answers = await both(under, (stream) => ({
            ...callOf(wire, "weft", { stream }),
            headers: headersOf(wire, given),
          }));
          expect(statuses(answers)).toEqual([401, 401]);
        }
        const { authorization, "x-api-key": _, "x-goog-api-key": __, ...bare } = headersOf(wire);
        expect(authorization === undefined || authorization.startsWith("Bearer ")).toBe(true);
        const without = await both(under, (stream) => ({ ...callOf(wire, "weft", { stream }), headers: bare }));
        expect(statuses(without)).toEqual([401, 401]);
        expect(under.provider.calls()).toBe(before);
      },
    },
    {
      name: `${wire}: the provider's 400 and 429, with what it says`,
      run: async (under) => {
        for (const status of [400, 429]) {
          const { model } = under.provider.play(
            says(rawWires[wire].error(status, "as the provider says"), status, {
              "retry-after": "3",
              "set-cookie": "a=1",
            }),
          );
          const answers = await both(under, (stream) => callOf(wire, model, { stream }));
          expect(statuses(answers)).toEqual([status, status]);
          for (const { text, headers } of answers) {
            expect(text).toContain("as the provider says");
            expect(headers["set-cookie"]).toBeUndefined();
            if (status === 429) expect(headers["retry-after"]).toBe("3");
          }
        }
      },
    },
    {
      name: `${wire}: the provider's 401 keeps its status, tells whose it is, and quotes no key`,
      run: async (under) => {
        const said = rawWires[wire].error(401, `Wrong key: ${providerKey(wire)}`);
        const { model } = under.provider.play(says(said, 401));
        const answers = await both(under, (stream) => callOf(wire, model, { stream }));
        expect(statuses(answers)).toEqual([401, 401]);
        for (const { text, headers } of answers) {
          expect(text).not.toContain(providerKey(wire));
          expect(headers["heddle-provider"]).toBe(providerOf[wire]);
        }
      },
    },
    {
      name: `${wire}: the provider's 500 without a word`,
      run: async (under) => {
        const { model } = under.provider.play((out) => {
          out.head(500, { "content-type": "text/html" });
          out.end("<html>oh no</html>");
        });
        const answers = await both(under, (stream) => callOf(wire, model, { stream }));
        for (const { status, text } of answers) {
          expect(status).toBeGreaterThanOrEqual(500);
          expect(text).not.toContain("<html>");
        }
      },
    },
    {
      name: `${wire}: a provider that can't be reached`,
      run: async (under) => {
        const answers = await both(under, (stream) =>
          callOf(wire, "weft", { stream, provider: `gone-${providerOf[wire]}` }),
        );
        expect(statuses(answers)).toEqual([502, 502]);
        for (const { text } of answers) expect(text).not.toContain("127.0.0.1");
      },
    },
    {
      name: `${wire}: a provider that dies before its answer, and before its first byte`,
      run: async (under) => {
        for (const begins of [false, true]) {
          const { model } = under.provider.play((out) => {
            if (begins) out.head(200, { "content-type": "text/event-stream" });
            out.reset();
          });
          const answers = await both(under, (stream) => callOf(wire, model, { stream }));
          expect(statuses(answers)).toEqual([502, 502]);
        }
      },
    },
    {
      name: `${wire}: a provider whose answer is something else`,
      run: async (under) => {
        const { model } = under.provider.play((out) => {
          out.head(200, { "content-type": "text/html" });
          out.end("<html>It works!</html>");
        });
        const answers = await both(under, (stream) => callOf(wire, model, { stream }));
        expect(statuses(answers)).toEqual([502, 502]);
      },
    },
    {
      name: `${wire}: a stream that ends before its first event, and one whose first event is an error`,
      run: async (under) => {
        for (const text of ["", ": comment\n\n", rawWires[wire].midError]) {
          const { model } = under.provider.play((out) => {
            out.head(200, { "content-type": "text/event-stream" });
            out.end(text);
          });
          const answer = await ask(under.url, callOf(wire, model, { stream: true }));
          expect(answer.whole).toBe(true);
          expect(answer.status, answer.text).toBeGreaterThanOrEqual(500);
          rawWires[wire].envelope(answer.json());
        }
      },
    },
    {
      name: `${wire}: a model that nobody has`,
      run: async (under) => {
        const answers = await both(under, (stream) => callOf(wire, "weft", { stream, provider: "nobody" }));
        const status = wire === "openai-responses" ? 400 : 404;
        expect(statuses(answers)).toEqual([status, status]);
      },
    },
  ];
};

export const earlyErrors = (): readonly Case[] => wireIds.flatMap(onWire);
