// The conformance suite of platforms: the same list of cases against each, over real HTTP, with a provider that does as a case says.
// Where a platform differs, its facts say so and why, and the case asserts the difference.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bodies } from "./cases/bodies.ts";
import { brokenStreams } from "./cases/broken-streams.ts";
import { atDeadlines, deadlines } from "./cases/deadlines.ts";
import { earlyErrors } from "./cases/early-errors.ts";
import { leaving } from "./cases/leaving.ts";
import { longStreams } from "./cases/long-streams.ts";
import { methods } from "./cases/methods.ts";
import { paths } from "./cases/paths.ts";
import { providers } from "./cases/providers.ts";
import { requestHeaders } from "./cases/request-headers.ts";
import { responseHeaders } from "./cases/response-headers.ts";
import { runs } from "./cases/runs.ts";
import { sdks } from "./cases/sdks.ts";
import { streaming } from "./cases/streaming.ts";
import { together } from "./cases/together.ts";
import { uploads } from "./cases/uploads.ts";
import { type Case, configOf, type Platform, type PlatformUnderTest, type Topic } from "./platform.ts";
import { type Provider, startProvider } from "./provider.ts";

const topics: readonly (readonly [string, Topic])[] = [
  ["request headers", requestHeaders],
  ["response headers", responseHeaders],
  ["methods", methods],
  ["paths and queries", paths],
  ["bodies", bodies],
  ["requests in odd forms", uploads],
  ["providers in odd forms", providers],
  ["errors before the first byte", earlyErrors],
  ["streams", streaming],
  ["long streams, odd ones, and runs", longStreams],
  ["errors in a stream", brokenStreams],
  ["what is kept", runs],
  ["clients that leave, and slow ones", leaving],
  ["calls together", together],
  ["the time that an answer has", deadlines],
  ["official SDKs", sdks],
];

/** Not by "$name": that would be cut at forty characters. */
const namesAndRuns = (cases: readonly Case[]) => cases.map(({ name, run }) => [name, run] as const);

export const conforms = (platform: Platform): void => {
  let provider: Provider;
  let under: PlatformUnderTest;
  beforeAll(async () => {
    provider = await startProvider();
    under = await platform.start(provider, configOf(provider.url));
  }, 60_000);
  afterAll(async () => {
    await under?.stop();
    await provider?.stop();
  });
  describe.each(topics)("%s", (_name, cases) => {
    test.each(namesAndRuns(cases(platform.facts)))("%s", (_case, run) => run(under));
  });
  const late = namesAndRuns(atDeadlines(platform.facts));
  describe.runIf(late.length > 0)("the end of that time, for streams of other kinds", () => {
    test.concurrent.each(late)("%s", (_case, run) => run(under));
  });
  test("the platform saw no fault in all of this", () => {
    expect(under.faults()).toEqual([]);
  });
};
