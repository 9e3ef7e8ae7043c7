// Who calls: what every credential, of whatever kind, comes down to. Plain values, so that a run can be stored with its caller.

/** What a credential may do less than its roles: absent means all that they may. Names may end in `*`. */
export type Scopes = {
  actions?: readonly string[];
  /** Aliases or `provider/model`. */
  models?: readonly string[];
  /** Owners within the tenant that the caller may act for (`heddle-user`), besides itself. `*`: any. */
  owners?: "*" | readonly string[];
};

/** Limits that belong to one credential. */
export type OwnLimits = {
  requestsPerMinute?: number;
  tokensPerMinute?: number;
  /** Calls at once. */
  concurrent?: number;
  budgets?: readonly { /** Dollars. */ amount: number; per: "day" | "month" | "total" }[];
};

export type Caller = {
  /** For logs and metrics: the key's name, or who a token speaks for. Never a credential. */
  name: string;
  /** No credential was asked for. */
  open: boolean;
  /** Every storage key begins with it. */
  tenant: string;
  /** Whose threads, runs and files are meant: nobody else's can be reached. */
  owner: string;
  /** Who spends, for limits and usage. */
  user: string;
  /** The id of the key, or of what stands for one (`jwt:…`, `iam:…`): limits by key count under it. */
  key: string;
  roles: readonly string[];
  /** Administers every tenant. */
  everywhere?: boolean;
  scopes?: Scopes;
  limits?: OwnLimits;
  /** The credential proves itself: of the limits, only the configuration's hold, so that no store is asked. */
  selfProving?: boolean;
};

export const defaultTenant = "default";
