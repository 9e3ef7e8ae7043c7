// Which addresses a caller's URL may not lead to.
import { describe, expect, test } from "vitest";
import { isPrivateAddress } from "../../lib/http/address.ts";

describe("addresses that are not public", () => {
  test.each([
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "198.18.0.1",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "2001::1",
    "3fff::1",
  ])("%s", (address) => {
    expect(isPrivateAddress(address)).toBe(true);
  });
  test.each([
    "1.1.1.1",
    "172.15.0.1",
    "172.32.0.1",
    "100.63.0.1",
    "192.167.1.1",
    "::ffff:1.1.1.1",
    "2606:4700::1111",
    "2a00:1450:4001::8a",
  ])("but %s is", (address) => {
    expect(isPrivateAddress(address)).toBe(false);
  });
});
