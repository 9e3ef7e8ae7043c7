// placeholder
import type { Secrets } from "./secrets.ts";
export const createKeyVault = (_: { vaultUrl: string; now: () => number; background: (work: Promise<unknown>) => void }): Secrets & { members: () => Promise<Readonly<Record<string, string>>> } => { throw new Error("x"); };
