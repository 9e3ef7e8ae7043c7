// Loaded into a process (`node --import`), it finds every vault on this machine: `*.vault.azure.net` is 127.0.0.1.
import dns from "node:dns";

const lookup = dns.lookup;
const here = ((host: string, ...rest: unknown[]) =>
  Reflect.apply(lookup, dns, [host.endsWith(".vault.azure.net") ? "127.0.0.1" : host, ...rest])) as typeof lookup;
// A connection takes the function from the module each time it is made.
dns.lookup = Object.assign(here, lookup);
