// The bundles of all there is to deploy: `node scripts/build.ts [folder]`, `dist` if not said.
import { resolve } from "node:path";
import { bundleLambda, bundleLocal, eagerFiles, lambdaNames } from "./bundle.ts";

const root = new URL("../", import.meta.url).pathname;
const out = resolve(root, process.argv[2] ?? "dist");

const bundles = await Promise.all([
  bundleLocal(out).then((metafile) => ({ name: "local", metafile })),
  ...lambdaNames.map(async (name) => ({ name: `aws/${name}`, metafile: await bundleLambda(out, name) })),
]);

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(0)} KiB`;
for (const { name, metafile } of bundles) {
  const files = Object.entries(metafile.outputs).filter(([path]) => !path.endsWith(".map"));
  const sum = (paths: readonly string[]): number =>
    paths.reduce((bytes, path) => bytes + (metafile.outputs[path]?.bytes ?? 0), 0);
  const all = sum(files.map(([path]) => path));
  process.stdout.write(`${name}: ${kib(sum(eagerFiles(metafile)))} at start, ${kib(all)} in ${files.length} files\n`);
}
