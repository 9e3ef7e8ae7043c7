// What an examination finds, and how it is told: one line each, and what to mend below it.

export type Finding = {
  check: string;
  status: "ok" | "warn" | "fail";
  message: string;
  /** What to do about it. */
  mend?: string;
};

export const ok = (check: string, message: string): Finding => ({ check, status: "ok", message });
export const warn = (check: string, message: string, mend: string): Finding => ({
  check,
  status: "warn",
  message,
  mend,
});
export const fail = (check: string, message: string, mend: string): Finding => ({
  check,
  status: "fail",
  message,
  mend,
});

export const findingsText = (findings: readonly Finding[]): string => {
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  const lines = findings.map(
    ({ check, status, message, mend }) =>
      `${status.padEnd(4)}  ${check.padEnd(width)}  ${message}\n${mend === undefined ? "" : `      ${"".padEnd(width)}  -> ${mend}\n`}`,
  );
  const count = (status: Finding["status"]): number => findings.filter((each) => each.status === status).length;
  return `${lines.join("")}\n${count("ok")} ok, ${count("warn")} to look at, ${count("fail")} to mend\n`;
};
