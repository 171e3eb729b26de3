import { createHash, randomBytes } from 'node:crypto';
import { NONCE_BYTES } from './aes-gcm.ts';

const processSecret = randomBytes(32);
let counter = 0n;

/** Enough of a message to tell two messages apart; hashing megabytes would cost more than encrypting them. */
const HEAD_BYTES = 1024;

/**
 * A nonce that does not repeat even where the random source does, as in two copies of one machine's snapshot: hedged
 * with time, a count, the process and the message. One repeated nonce would give away both messages and let anybody
 * forge more.
 */
export function freshNonce(message: Uint8Array): Uint8Array {
  counter += 1n;
  const about = [process.hrtime.bigint(), Date.now(), process.pid, counter, message.length].join(' ');
  const hash = createHash('sha256').update(processSecret).update(randomBytes(32)).update(about);
  return hash.update(message.subarray(0, HEAD_BYTES)).digest().subarray(0, NONCE_BYTES);
}
