/** Where secrets come from. A secret that is not there is a value (undefined), a vault that can't be asked throws `storage`. */
export interface Secrets {
  /** Cached by the implementation, refreshed in the background, and stale while the vault is down. */
  get(name: string): Promise<string | undefined>;
}
