// The content type that an answer from outside goes on with.

/**
 * Never one that a browser would show as a page, or run, on the gateway's own origin. `otherwise`: what stands in for such a type, and for
 * none.
 */
export const inertType = (type: string | undefined, otherwise: string): string =>
  type === undefined || type === "" || /html|xml|script|svg|css|pdf|multipart/i.test(type) ? otherwise : type;
