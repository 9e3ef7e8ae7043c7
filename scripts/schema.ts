// Publishes the grammar of heddle.yaml as JSON Schema for editors: `npm run schema`. A test fails where the file is stale.
import { writeFileSync } from "node:fs";
import { publishedSchema } from "../lib/config/published.ts";

writeFileSync(new URL("../heddle.schema.json", import.meta.url), publishedSchema());
