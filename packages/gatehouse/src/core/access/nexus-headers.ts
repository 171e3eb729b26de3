/** A header name that HTTP can carry (RFC 9110 section 5.6.2). */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Headers that the engine reads or sets itself on the way from caller to handler: who calls, where a callback
 * goes and with which token, how the body is to be read, what was forwarded already.
 */
const TRUSTED_PREFIXES = [
  'authorization',
  'call-initiation',
  'caller-',
  'content-',
  'nexus-',
  'temporal-',
  'x-forwarded-',
  'xdc-redirection',
];

/**
 * Must a tenant not set this header on a Nexus operation? The engine sets those of the command last, so that one
 * of them could replace its own callback token by one of a foreign operation (run on 1.31.2).
 */
export function isTrustedNexusHeader(name: string): boolean {
  // What is not ASCII may become so where the engine writes names in lower case.
  if (!FIELD_NAME.test(name)) return true;
  const lower = name.toLowerCase();
  return lower === 'source' || TRUSTED_PREFIXES.some((prefix) => lower.startsWith(prefix));
}
