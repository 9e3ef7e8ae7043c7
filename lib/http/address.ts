// Which addresses are nobody's outside this network.

const v4Private =
  /^(?:0\.|10\.|127\.|169\.254\.|172\.(?:1[6-9]|2\d|3[01])\.|192\.168\.|192\.0\.0\.|192\.0\.2\.|192\.88\.99\.|198\.1[89]\.|198\.51\.100\.|203\.0\.113\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|2(?:2[4-9]|[34]\d|5[0-5])\.)/;

/** Loopback, private, link-local (clouds' metadata among them), multicast, reserved, and whatever embeds an IPv4 address. `address`: as the URL parser or a resolver writes it. */
export const isPrivateAddress = (address: string): boolean => {
  const plain = address.toLowerCase().replace(/%.*$/, "");
  if (!plain.includes(":")) return v4Private.test(plain);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1];
  if (mapped !== undefined) return v4Private.test(mapped);
  // Global unicast alone, without documentation, 6to4 and Teredo.
  return !/^[23][\da-f]{3}:/.test(plain) || /^(?:2001:0?db8:|2002:|2001:0{0,4}:|3fff:)/.test(plain);
};
