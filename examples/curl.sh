#!/usr/bin/env bash
# The four wires by hand, then the model list, health and metrics.
set -euo pipefail
url=${HEDDLE_URL:-http://127.0.0.1:8787}
model=${HEDDLE_MODEL:-echo/echo}
key=${HEDDLE_API_KEY:-none-needed}

say() { printf '\n\n== %s\n' "$1"; }

say "OpenAI Chat Completions, streamed"
curl -fsSN "$url/v1/chat/completions" -H "authorization: Bearer $key" -H 'content-type: application/json' \
  -d "{\"model\":\"$model\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"
say "OpenAI Responses"
curl -fsS "$url/v1/responses" -H "authorization: Bearer $key" -H 'content-type: application/json' \
  -d "{\"model\":\"$model\",\"input\":\"Hello\"}"
say "Anthropic Messages, streamed"
curl -fsSN "$url/v1/messages" -H "x-api-key: $key" -H 'anthropic-version: 2023-06-01' -H 'content-type: application/json' \
  -d "{\"model\":\"$model\",\"max_tokens\":200,\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}"
say "Gemini, as a JSON array"
curl -fsSN "$url/v1beta/models/$model:streamGenerateContent" -H "x-goog-api-key: $key" -H 'content-type: application/json' \
  -d '{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}'
say "Models"
curl -fsS "$url/v1/models" -H "authorization: Bearer $key"
say "Health"
curl -fsS "$url/health"
say "Metrics"
curl -fsS "$url/metrics" -H "authorization: Bearer $key" | grep heddle_requests_total
