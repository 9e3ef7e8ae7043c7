// A share of a core for a process, by the kernel's own accounting; niceness and pinning are no limit.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

export type CpuLimit = {
  /** Puts a command under the limit. */
  wrap: (command: readonly string[]) => readonly string[];
  remove: () => void;
};

const root = "/sys/fs/cgroup";
/** Short, so that a quarter of a core is one at every moment, not 25 ms of a whole one and a pause. */
const periodUs = 10_000;

/** The files of a group, by the kernel's version of groups. */
const kinds = (quotaUs: number) => [
  { at: root, has: join(root, "cgroup.controllers"), files: { "cpu.max": `${quotaUs} ${periodUs}` } },
  {
    at: join(root, "cpu"),
    has: join(root, "cpu/cpu.cfs_quota_us"),
    files: { "cpu.cfs_period_us": String(periodUs), "cpu.cfs_quota_us": String(quotaUs) },
  },
];

/** Undefined where this system lets nobody set one. */
export const limitCpu = (share: number): CpuLimit | undefined => {
  for (const { at, has, files } of kinds(Math.round(share * periodUs))) {
    if (!existsSync(has)) continue;
    const group = join(at, `heddle-bench-${process.pid}`);
    const remove = (): void => {
      if (existsSync(group)) rmdirSync(group);
    };
    try {
      mkdirSync(group);
      for (const [name, value] of Object.entries(files)) writeFileSync(join(group, name), value);
      const enter = `echo $$ > ${join(group, "cgroup.procs")} && exec "$@"`;
      return { wrap: (command) => ["/bin/sh", "-c", enter, "sh", ...command], remove };
    } catch {
      remove();
    }
  }
  const run = ["systemd-run", "--user", "--scope", "--quiet", "--property", `CPUQuota=${share * 100}%`];
  const works = spawnSync(run[0] ?? "", [...run.slice(1), "true"], { stdio: "ignore" }).status === 0;
  return works ? { wrap: (command) => [...run, "--", ...command], remove: () => undefined } : undefined;
};
