// Paths and queries: what the gateway reads is what the client wrote.
import { expect } from "vitest";
import { rawWires } from "../../support/wires.ts";
import { headersOf } from "../calls.ts";
import { ask } from "../client.ts";
import { type Case, key, type PlatformUnderTest, type Topic } from "../platform.ts";
import { says } from "../provider.ts";

const gemini = "gemini-generate";
const authorized = { authorization: `Bearer ${key}` };

/** The path that a 404 says it has not found. */
const pathSeen = async (under: PlatformUnderTest, path: string): Promise<string | undefined> => {
  const { status, text } = await ask(under.url, { path, headers: authorized });
  expect(status).toBe(404);
  return /There is no route GET (.*)\./.exec(text)?.[1];
};

/** The name of a model that a 404 says it has not found. */
const modelSeen = async (under: PlatformUnderTest, segment: string): Promise<string | undefined> => {
  const { status, text } = await ask(under.url, { path: `/v1/models/${segment}`, headers: authorized });
  expect(status).toBe(404);
  return /The model '(.*)' does not exist/.exec(
    (JSON.parse(text) as { error: { message: string } }).error.message,
  )?.[1];
};

const asWritten: readonly (readonly [string, string])[] = [
  ["encoded slashes", "/nowhere/a%2Fb%2fc"],
  ["encoded blanks", "/nowhere/a%20b"],
  ["letters of other alphabets", "/nowhere/%C3%A9%E6%BC%A2%F0%9F%A7%B5"],
  ["a plus", "/nowhere/a+b"],
  ["double slashes", "/nowhere//a///b"],
  ["a slash at the end", "/nowhere/"],
  ["signs that need no encoding", "/nowhere/~a-b_c.d!$&'()*,;=:@"],
];

const names: readonly (readonly [string, string, string])[] = [
  ["an encoded slash", "made%2Fup", "made/up"],
  ["a slash", "made/up", "made/up"],
  ["an encoded blank", "made%20up", "made up"],
  ["a plus, which is no blank here", "made+up", "made+up"],
  ["letters of other alphabets", "m%C3%A4de-%E6%BC%A2-%F0%9F%A7%B5", "m\u00e4de-\u6f22-\u{1f9f5}"],
  ["a percent sign", "100%25", "100%"],
  ["a colon", "eu.made-v1%3A0", "eu.made-v1:0"],
];

const cases: Case[] = [
  ...asWritten.map(([name, path]): Case => ({
    name: `a path with ${name} is read as it is written`,
    run: async (under) => {
      check(await pathSeen(under, path), path);
    },
  })),
  ...names.map(([name, segment, model]): Case => ({
    name: `a name in a path with ${name}`,
    run: async (under) => {
      check(await modelSeen(under, segment), model);
    },
  })),
  {
    name: "the root, and paths that platforms keep for themselves, lead nowhere, and not past the gateway",
    run: async (under) => {
      for (const path of ["/", "/?x=1", "/api", "/favicon.ico", "/runtime/webhooks", "/2015-03-31/functions"]) {
        const answer = await ask(under.url, { path });
        expect(`${path} ${answer.status}`).toBe(`${path} 404`);
        rawWires["openai-chat"].envelope(answer.json());
        expect(answer.headers["x-request-id"]).toBeDefined();
      }
    },
  },
  {
    name: "a path of 7,000 characters",
    run: async (under) => {
      const long = `made/${"up/".repeat(2_330)}`;
      expect(await modelSeen(under, long)).toBe(long.slice(0, 200));
    },
  },
  {
    name: "a model's name in a Gemini path reaches the provider, however it was encoded",
    run: async (under) => {
      const { model, heard } = under.provider.play(says(rawWires[gemini].whole));
      for (const name of [`gemini/${model}`, `gemini%2F${model}`, `gemini%2f${model.replace("w", "%77")}`]) {
        const path = `/v1beta/models/${name}:generateContent`;
        const { body } = { body: JSON.stringify(rawWires[gemini].body("", false)) };
        expect((await ask(under.url, { path, headers: headersOf(gemini), body })).status).toBe(200);
      }
      expect(heard.map(({ url }) => url)).toEqual(Array(3).fill(`/v1beta/models/${model}:generateContent`));
    },
  },
  {
    name: "key= of Gemini clients: plain, encoded, among others, and the first of two",
    run: async (under) => {
      const encoded = key.replaceAll("-", "%2D").replace("f", "%66");
      const ok = ["?key=$", "?alt=json&key=$&pageSize=3", `?key=${encoded}`, "?key=$&key=fake-wrong-key", "?&&key=$&"];
      for (const query of ok) {
        const answer = await ask(under.url, { path: `/v1beta/models${query.replace("$", key)}` });
        expect(`${query} ${answer.status}`).toBe(`${query} 200`);
        expect(answer.json()).toHaveProperty("models");
      }
      for (const query of ["?key=", "?key", `?key=fake-wrong-key&key=${key}`, `?kee=${key}`, `?key=${key}%20`]) {
        const answer = await ask(under.url, { path: `/v1beta/models${query}` });
        expect(`${query} ${answer.status}`).toBe(`${query} 401`);
        rawWires[gemini].envelope(answer.json());
      }
    },
  },
  {
    name: "a key in a query is in no line of the log",
    run: (under) => {
      expect(under.logs().filter((line) => line.includes(key) || line.includes("fake-wrong-key"))).toEqual([]);
      return Promise.resolve();
    },
  },
  {
    name: "a query decides on a stream's form: alt=sse, or an array without it",
    run: async (under) => {
      const { begin, end } = rawWires[gemini];
      const { model } = under.provider.play(async (out) => {
        out.head(200, { "content-type": "text/event-stream" });
        await out.write(begin);
        out.end(end);
      });
      const to = `/v1beta/models/gemini%2F${model}:streamGenerateContent`;
      const body = JSON.stringify(rawWires[gemini].body("", true));
      const post = (query: string): ReturnType<typeof ask> =>
        ask(under.url, { path: `${to}${query}`, headers: headersOf(gemini), body });
      for (const query of ["?alt=sse", "?x=%26alt%3Djson&alt=sse", "?%61lt=%73se"])
        expect((await post(query)).headers["content-type"]).toContain("text/event-stream");
      for (const query of ["", "?", "?alt=json", "?x=alt%3Dsse", "?ALT=sse"]) {
        const answer = await post(query);
        expect(answer.headers["content-type"]).toContain("application/json");
        expect(answer.json()).toHaveLength(2);
      }
    },
  },
  {
    name: "values of a query are decoded once: a plus is a blank, %2B a plus",
    run: async (under) => {
      for (const [query, page] of [
        ["pageSize=1&pageToken=%31", 200],
        ["pageSize=1&pageToken=%2531", 400],
        ["pageSize=1&pageToken=+1", 400],
        ["pageSize=1&pageToken=%2B1", 400],
        ["pageSize=1&pageToken=", 200],
      ] as const) {
        const answer = await ask(under.url, { path: `/v1beta/models?${query}`, headers: headersOf(gemini) });
        expect(`${query} ${answer.status}`).toBe(`${query} ${page}`);
      }
    },
  },
];

const check = (seen: string | undefined, expected: string): void => expect(seen).toBe(expected);

const pathOrModel = async (under: PlatformUnderTest, path: string): Promise<string | undefined> => {
  const { status, text } = await ask(under.url, { path, headers: authorized });
  expect(status).toBe(404);
  return /There is no route GET (.*?)\.?"|The model '(.*)' does/
    .exec(text)
    ?.slice(1)
    .find((each) => each !== undefined);
};

const raw: Case[] = [
  {
    name: "dots, and encoded letters that need none, are read as they are written",
    run: async (under) => {
      for (const path of ["/nowhere/./a", "/nowhere/../a", "/nowhere/%2e%2e/a", "/nowhere/%61"])
        expect(await pathSeen(under, path)).toBe(path);
      expect(await pathOrModel(under, "/v1/models/../../health")).toBe("../../health");
    },
  },
  {
    name: "a path that is not well encoded is a 400",
    run: async (under) => {
      for (const path of ["/v1/models/%", "/v1/models/%zz", "/v1/models/%C3"]) {
        const answer = await ask(under.url, { path, headers: authorized });
        expect(`${path} ${answer.status}`).toBe(`${path} 400`);
        rawWires["openai-chat"].envelope(answer.json());
      }
    },
  },
];

const encodedAnew = (why: string): Case[] => [
  {
    name: `dots are taken out of a path, and letters that need no encoding have none: ${why}`,
    run: async (under) => {
      for (const path of ["/nowhere/./a", "/nowhere/b/../a", "/nowhere/b/%2e%2e/a", "/nowhere/%61"])
        expect(await pathSeen(under, path)).toBe("/nowhere/a");
      // Nobody gets out of where a path begins.
      expect(await pathSeen(under, "/../../nowhere")).toBe("/nowhere");
    },
  },
  {
    name: `what is not well encoded in a path stands for itself: ${why}`,
    run: async (under) => {
      for (const name of ["%", "%zz", "%C3"]) expect(await modelSeen(under, name)).toBe(name);
    },
  },
];

export const paths: Topic = ({ rawPaths }) => [...cases, ...(rawPaths === true ? raw : encodedAnew(rawPaths.not))];
