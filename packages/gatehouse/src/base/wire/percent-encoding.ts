/** Encodes a grpc-message (gRPC over HTTP/2, Percent-Encoded: all but printable ASCII without `%`). */
export function encodeGrpcMessage(text: string): string {
  let plain = true;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e || code === 0x25) {
      plain = false;
      break;
    }
  }
  if (plain) return text;
  let encoded = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    encoded +=
      byte < 0x20 || byte > 0x7e || byte === 0x25
        ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
        : String.fromCharCode(byte);
  }
  return encoded;
}

/** Decodes a grpc-message; bad escapes stay as they are, as the specification asks. */
export function decodeGrpcMessage(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    // Not valid percent-encoded UTF-8: the specification says to keep the raw text rather than fail.
    return text;
  }
}
