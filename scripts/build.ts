// The bundles of all there is to deploy: `node scripts/build.ts [--only local|aws|azure] [folder]`, `dist` if not said.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { bundleAzure, bundleLambda, bundleLocal, eagerFiles, lambdaNames } from "./bundle.ts";

const root = new URL("../", import.meta.url).pathname;
const { values, positionals } = parseArgs({ options: { only: { type: "string" } }, allowPositionals: true });
const out = resolve(root, positionals[0] ?? "dist");

const all = [
  { name: "local", bundle: () => bundleLocal(out) },
  ...lambdaNames.map((name) => ({ name: `aws/${name}`, bundle: () => bundleLambda(out, name) })),
  { name: "azure", bundle: () => bundleAzure(out) },
];
const wanted = all.filter(({ name }) => values.only === undefined || name.split("/")[0] === values.only);
const bundles = await Promise.all(wanted.map(async ({ name, bundle }) => ({ name, metafile: await bundle() })));

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;
for (const { name, metafile } of bundles) {
  const files = Object.entries(metafile.outputs).filter(([path]) => !path.endsWith(".map"));
  const sum = (paths: readonly string[]): number =>
    paths.reduce((bytes, path) => bytes + (metafile.outputs[path]?.bytes ?? 0), 0);
  const whole = sum(files.map(([path]) => path));
  process.stdout.write(`${name}: ${kib(sum(eagerFiles(metafile)))} at start, ${kib(whole)} in ${files.length} files\n`);
}
