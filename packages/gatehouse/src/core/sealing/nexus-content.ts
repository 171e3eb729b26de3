import { readPayload } from './payload-bytes.ts';

/** What the engine makes of content that came over HTTP and that it does not know. */
const UNKNOWN_CONTENT = 'unknown/nexus-content';
/** The media type in which the engine carries a whole payload from one side of an operation to the other. */
const WHOLE_PAYLOAD = 'application/x-temporal-payload';

/**
 * Would this payload arrive on the other side of a Nexus operation as another one, which stands in its data? So
 * could a ciphertext that looks like something else on its way in (the engine's common/nexus/payload_serializer.go).
 */
export function carriesPayload(payload: Uint8Array): boolean {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  if (!bytes.includes(UNKNOWN_CONTENT)) return false;
  if (readPayload(payload)?.encoding !== UNKNOWN_CONTENT) return false;
  // Media types are compared without regard to case. Data that says the word is taken for it too.
  return bytes.toString('latin1').toLowerCase().includes(WHOLE_PAYLOAD);
}
