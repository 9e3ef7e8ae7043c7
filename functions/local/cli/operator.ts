// Who works on the box itself: whoever can write the data may do all with it.
import type { Caller } from "../../../lib/auth/caller.ts";

/** What it does stands in the audit log under this name. */
export const operator: Caller = {
  name: "command line",
  open: false,
  tenant: "default",
  owner: "command line",
  user: "command line",
  key: "",
  roles: ["admin"],
  everywhere: true,
};
