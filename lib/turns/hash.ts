// SHA-256 as bytes.
export const hash = (text: string): Uint8Array =>
  process.getBuiltinModule("node:crypto").hash("sha256", text, "buffer");
