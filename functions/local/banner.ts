// What a newcomer sees first: where it listens, who answers, and a line to try.
import type { HeddleConfig } from "../../lib/config-types.ts";

/** As one word for a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

export const banner = (config: HeddleConfig, url: string, version: string): string => {
  const providers = config.providers.map((provider) =>
    provider.id === provider.kind ? provider.id : `${provider.id} (${provider.kind})`,
  );
  const aliases = config.models.map((model) => model.name);
  const first =
    config.models[0]?.name ??
    (config.providers.some((provider) => provider.kind === "echo")
      ? "echo/echo"
      : `${config.providers[0]?.id ?? "openai"}/MODEL`);
  const body = { model: first, stream: true, messages: [{ role: "user", content: "Hello, who are you?" }] };
  const key = config.auth.mode === "open" ? "" : ` -H 'authorization: Bearer YOUR_KEY'`;
  return [
    ``,
    `  Heddle ${version} listens on ${url}`,
    ``,
    `  providers  ${providers.join(", ") || "none"}`,
    ...(aliases.length > 0 ? [`  models     ${aliases.join(", ")}`] : []),
    `  access     ${config.auth.mode === "open" ? "open, on loopback only" : `keys (${config.auth.keys.length})`}`,
    `  config     ${config.source ?? "environment only"}`,
    ...config.notices.map((notice) => `  notice     ${notice}`),
    ``,
    `  OpenAI     base URL ${url}/v1`,
    `  Anthropic  base URL ${url}`,
    `  Gemini     base URL ${url}`,
    ``,
    `  Try it:`,
    `  curl -N ${url}/v1/chat/completions -H 'content-type: application/json'${key} \\`,
    `    -d ${quoted(JSON.stringify(body))}`,
    ``,
  ].join("\n");
};
