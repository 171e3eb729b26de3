import { hash, randomFillSync } from 'node:crypto';
import { threadId } from 'node:worker_threads';
import { type Clock, systemClock } from '#base/runtime/clock';
import { GCM_NONCE_BYTES } from './aes-gcm.ts';

/** 128 bits: salts of all processes and hours of a key may be drawn blindly (RFC 5869 section 3.1). */
export const SALT_BYTES = 16;

/** Nonces and salts that do not repeat, even where one of the things that they are made of fails. */
export interface NonceSource {
  /** Writes 12 bytes at the start of `target`, for this plaintext alone. */
  writeNonce(target: Buffer, plaintext: Uint8Array): void;
  /** 16 bytes. Public: they stand in every box. */
  salt(): Buffer;
}

export interface NonceSourceOptions {
  readonly clock?: Clock;
  /** Fills its argument with random bytes. */
  readonly random?: (target: Buffer) => void;
  readonly processId?: number;
  readonly thread?: number;
  /** Tells apart the sources of one process. For tests: two equal ones are a process restored twice. */
  readonly instance?: number;
}

/** Fresh randomness per draw: a collision of pooled bytes alone would need 2^64 draws. */
const RANDOM_BYTES = 16;
/** One refill serves 256 draws: a call into the system costs as much as sealing a small payload. */
const POOL_BYTES = 256 * RANDOM_BYTES;
/** A restored snapshot wakes with the pool it had. It draws a new one, for its wall clock has moved. */
const POOL_AGE_MAX_MS = 1000;
/** Of a plaintext longer than twice this, the head and the tail are read: payloads begin alike. */
const SAMPLE_BYTES = 128;

/** Layout of what is hashed; every field has its place and width, so no two states give the same bytes. */
const AT = {
  secret: 0,
  use: 32,
  processId: 36,
  thread: 40,
  instance: 44,
  counter: 48,
  monotonic: 56,
  wall: 64,
  length: 72,
  random: 80,
  sample: 80 + RANDOM_BYTES,
  end: 80 + RANDOM_BYTES + 2 * SAMPLE_BYTES,
} as const;
const USE_NONCE = 1;
const USE_SALT = 2;

let sources = 0;
let shared: NonceSource | undefined;

/**
 * The source of this process (and thread): one for all keyrings, so that one counter runs through all that
 * is sealed here.
 */
export function processNonces(): NonceSource {
  shared ??= createNonceSource();
  return shared;
}

/**
 * Each draw is SHA-256, cut to size, over: a secret of this source, pooled random bytes, a counter, monotonic
 * and wall time, process, thread and source, and length, head and tail of the plaintext (RFC 8937 mends random
 * sources in the same spirit). Any one of these that moves moves the nonce:
 * - a broken random source: the counter, and between processes time and process id;
 * - a snapshot restored twice, or a fork: wall time, new random bytes, process id. Two copies that seal their
 *   next message in the same millisecond, within a second of the snapshot: the plaintext. Only what differs
 *   in the middle of a long one is not seen then.
 *
 * The results are spread as random ones are: see the limits of data-key.ts.
 */
export function createNonceSource(options: NonceSourceOptions = {}): NonceSource {
  const {
    clock = systemClock,
    random = randomFillSync,
    processId = process.pid,
    thread = threadId,
    instance = sources++,
  } = options;
  const input = Buffer.alloc(AT.end);
  random(input.subarray(AT.secret, AT.secret + 32));
  input.writeUInt32LE(processId, AT.processId);
  input.writeUInt32LE(thread, AT.thread);
  input.writeUInt32LE(instance, AT.instance);
  const sample = input.subarray(AT.sample, AT.end);
  const drawRandom = createRandomPool(random, input.subarray(AT.random, AT.sample));
  let counter = 0;

  const draw = (use: number, plaintext: Uint8Array): string => {
    const wallMs = clock.now();
    counter += 1;
    input.writeUInt32LE(use, AT.use);
    input.writeDoubleLE(counter, AT.counter);
    input.writeDoubleLE(clock.monotonicMs(), AT.monotonic);
    input.writeDoubleLE(wallMs, AT.wall);
    input.writeDoubleLE(plaintext.length, AT.length);
    drawRandom(wallMs);
    takeSample(plaintext, sample);
    const digest = hash('sha256', input, 'binary');
    // No plaintext stays here after the call, and the next draw begins from zeros.
    sample.fill(0);
    return digest;
  };

  return Object.freeze({
    writeNonce(target: Buffer, plaintext: Uint8Array) {
      target.write(draw(USE_NONCE, plaintext), 0, GCM_NONCE_BYTES, 'binary');
    },
    salt: () => Buffer.from(draw(USE_SALT, NOTHING), 'binary').subarray(0, SALT_BYTES),
  });
}

const NOTHING = Buffer.alloc(0);

/** Copies the next random bytes into `target`, from a pool that is neither used twice nor kept long. */
function createRandomPool(random: (target: Buffer) => void, target: Buffer): (wallMs: number) => void {
  const pool = Buffer.alloc(POOL_BYTES);
  let taken = POOL_BYTES;
  let filledAtMs = 0;
  return (wallMs) => {
    if (taken === POOL_BYTES || Math.abs(wallMs - filledAtMs) > POOL_AGE_MAX_MS) {
      random(pool);
      taken = 0;
      filledAtMs = wallMs;
    }
    pool.copy(target, 0, taken, taken + RANDOM_BYTES);
    taken += RANDOM_BYTES;
  };
}

function takeSample(plaintext: Uint8Array, sample: Buffer): void {
  if (plaintext.length <= 2 * SAMPLE_BYTES) {
    sample.set(plaintext);
  } else {
    sample.set(plaintext.subarray(0, SAMPLE_BYTES));
    sample.set(plaintext.subarray(plaintext.length - SAMPLE_BYTES), SAMPLE_BYTES);
  }
}
