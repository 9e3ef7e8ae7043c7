/** Where secrets come from. A secret that is not there is a value (undefined), a vault that can't be asked throws `storage`. */
export interface Secrets {
  /** Cached by the implementation, refreshed in the background, and stale while the vault is down. */
  get(name: string): Promise<string | undefined>;
}

/** A deployment's secrets by name: a provider's key under the provider's name, `admin-key`, `pepper`, or a variable's name. */
export type Members = Readonly<Record<string, string>>;

export type MemberSecrets = Secrets & {
  /** All there are: the same object for as long as nothing changes. Throws `storage` where they were never read. */
  members: () => Promise<Members>;
};
