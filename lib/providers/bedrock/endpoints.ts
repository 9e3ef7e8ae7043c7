// Where each model of Bedrock is called, and on which wires.
import type { WireId } from "../../model/wire-id.ts";
import { pathSegment } from "../path-segment.ts";
import { familyOf } from "../../wires/bedrock-converse/index.ts";

/** Partitions whose hosts end otherwise. */
const suffixes: readonly (readonly [string, string])[] = [
  ["cn-", "amazonaws.com.cn"],
  ["eusc-", "amazonaws.eu"],
  ["us-isob-", "sc2s.sgov.gov"],
  ["us-isof-", "csp.hci.ic.gov"],
  ["us-iso-", "c2s.ic.gov"],
  ["eu-isoe-", "cloud.adc-e.uk"],
];

const suffixOf = (region: string): string =>
  suffixes.find(([start]) => region.startsWith(start))?.[1] ?? "amazonaws.com";

/** `service` is the name that requests to `url` are signed for. */
export type Endpoint = { url: string; service: "bedrock" | "bedrock-mantle" };

/**
 * OpenAI's models have two homes: ids with a version (`openai.gpt-oss-120b-1:0`) and inference profiles are Bedrock Runtime's, which
 * speaks Chat for them; plain ids (`openai.gpt-5.5`, `openai.gpt-oss-120b`) are Mantle's, the default of OpenAI's own SDK.
 */
type Home = "claude" | "openai-runtime" | "openai-mantle" | "converse";

const homeOf = (model: string): Home => {
  if (familyOf(model) === "claude") return "claude";
  if (model.startsWith("openai.")) return /-\d+:\d+$/.test(model) ? "openai-runtime" : "openai-mantle";
  return /(?:^|[./])openai\./.test(model) ? "openai-runtime" : "converse";
};

const isOpenWeight = (model: string): boolean => model.includes("gpt-oss");

const spoken: Record<Home, (model: string) => readonly WireId[]> = {
  claude: () => ["anthropic-messages"],
  "openai-runtime": (model) =>
    isOpenWeight(model) ? ["openai-chat", "bedrock-converse"] : ["openai-responses", "openai-chat"],
  "openai-mantle": (model) => (isOpenWeight(model) ? ["openai-responses", "openai-chat"] : ["openai-responses"]),
  converse: () => ["bedrock-converse"],
};

export const wiresOf = (model: string): readonly WireId[] => spoken[homeOf(model)](model);

export type Endpoints = {
  /** Bedrock Runtime's operations on one model: `converse`, `invoke`, `count-tokens`. */
  model: (model: string, operation: string) => Endpoint;
  /** The root of OpenAI's API for this model; paths such as `/responses` follow. */
  openai: (model: string) => Endpoint;
  /** The control plane: lists of models. */
  control: (path: string) => Endpoint;
};

/** `baseUrl`, where given, stands for every host: Bedrock Runtime's own layout below it, OpenAI's under `/openai/v1`. */
export const createEndpoints = (region: string, baseUrl: string | undefined): Endpoints => {
  const given = baseUrl?.replace(/\/+$/, "").replace(/\/openai\/v1$/, "");
  const runtime = given ?? `https://bedrock-runtime.${region}.${suffixOf(region)}`;
  const control = given ?? `https://bedrock.${region}.${suffixOf(region)}`;
  const mantle = given ?? `https://bedrock-mantle.${region}.api.aws`;
  const isMantle = (url: string): boolean => url.startsWith("https://bedrock-mantle.");
  return {
    // Ids and ARNs hold ":" and "/": all of them are percent-encoded.
    model: (model, operation) => ({
      url: `${runtime}/model/${pathSegment(model)}/${operation}`,
      service: "bedrock",
    }),
    control: (path) => ({ url: `${control}${path}`, service: "bedrock" }),
    openai: (model) => {
      const root = homeOf(model) === "openai-mantle" ? mantle : runtime;
      if (!isMantle(root)) return { url: `${root}/openai/v1`, service: "bedrock" };
      // Mantle keeps its open-weight models under another path than OpenAI's own.
      return { url: `${root}${isOpenWeight(model) ? "/v1" : "/openai/v1"}`, service: "bedrock-mantle" };
    },
  };
};

const vendors =
  "ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen|stability|twelvelabs|writer|xai|zai";

/** A vendor's id, perhaps with the geography of an inference profile before it, or an ARN. */
const ids = new RegExp(
  `^(?:arn:aws[a-z-]*:(?:bedrock|sagemaker):|(?:(?:[a-z]{2,4}|us-gov|global)\\.)?(?:${vendors})\\.)`,
);

export const claims = (model: string): boolean => ids.test(model);

/** The model behind a cross-region inference profile: `us.anthropic.claude-…` without `us.`, an ARN's last part. */
export const baseModel = (model: string): string =>
  (/^arn:.*\/([^/]+\.[^/]+)$/.exec(model)?.[1] ?? model).replace(
    new RegExp(`^[a-z-]{2,6}\\.(?=(?:${vendors})\\.)`),
    "",
  );
