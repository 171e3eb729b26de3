import { CodecError } from '../codec-error.ts';
import type { Payload } from '../payload.ts';
import type { CodecOperation } from './authorize.ts';
import { CodecRequestError } from './codec-request-error.ts';

/** A PayloadCodec of this package, of the SDK, or one of yours. */
export interface ServedCodec {
  encode(payloads: Payload[]): Promise<Payload[]>;
  decode(payloads: Payload[]): Promise<Payload[]>;
}

/** Metadata of a payload that is returned as it came, and why. */
const MARKER_KEY = 'gatehouse-not-decoded';
const UNKNOWN_KEY = Buffer.from('unknown key');

/**
 * Encodes or decodes; as many come back as were given, in the same order. A payload of an unknown key comes back as it
 * is, with a marker, so that one old payload does not hide a whole page.
 * @throws CodecRequestError 400 for every fault of the codec; of a foreign one nothing is told, since its message may
 * hold what it read.
 */
export async function applyCodec(
  codec: ServedCodec,
  operation: CodecOperation,
  payloads: Payload[],
): Promise<Payload[]> {
  try {
    const done = await (operation === 'encode' ? codec.encode(payloads) : decode(codec, payloads));
    if (done.length === payloads.length) return done;
  } catch (error) {
    throw new CodecRequestError(400, error instanceof CodecError ? error.message : 'the codec failed');
  }
  throw new CodecRequestError(400, 'the codec gave another number of payloads than it got');
}

async function decode(codec: ServedCodec, payloads: Payload[]): Promise<Payload[]> {
  try {
    return await codec.decode(payloads);
  } catch (error) {
    if (!isUnknownKey(error)) throw error;
    // One of them; which, only each alone can tell.
    return await Promise.all(payloads.map((payload) => decodeOne(codec, payload)));
  }
}

async function decodeOne(codec: ServedCodec, payload: Payload): Promise<Payload> {
  try {
    const [decoded, ...more] = await codec.decode([payload]);
    if (decoded === undefined || more.length > 0) throw new CodecError('damaged', 'the codec failed');
    return decoded;
  } catch (error) {
    if (!isUnknownKey(error)) throw error;
    return { ...payload, metadata: { ...payload.metadata, [MARKER_KEY]: UNKNOWN_KEY } };
  }
}

/** By its code, so that a codec of your own may say the same. */
function isUnknownKey(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'unknown_key';
}
