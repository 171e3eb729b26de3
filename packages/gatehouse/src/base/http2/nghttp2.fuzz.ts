import { deepStrictEqual } from 'node:assert';
import {
  PAYLOAD_BYTES_MAX,
  PREFACE,
  parseFrames,
  SETTINGS_ACK,
  settingsFrame,
} from './frames-fixture.test.ts';
import { hostileBytes, hostileSeeds, hostileWords } from './hostile-bytes-fixture.test.ts';
import { loadNghttp2, NATIVE_LIMITS, NativeWitness, serveWell, type Told } from './native-fixture.test.ts';
import type { NativeConnection } from './nghttp2.ts';

const { NativeConnection: Connection, memoryBytes } = await loadNghttp2();
/** Of all inputs together: what a connection held is given back when it goes. */
const MEMORY_BYTES_MAX = 32 * 1024 * 1024;
/** Third bit of the first byte: which side we are. */
const AS_CLIENT = 4;
const BEGINNINGS = {
  server: Buffer.concat([PREFACE, settingsFrame(), SETTINGS_ACK]),
  client: Buffer.concat([settingsFrame(), SETTINGS_ACK]),
};
const REQUEST = [':method', 'POST', ':scheme', 'https', ':authority', 'x', ':path', '/it'];

type Side = 'client' | 'server';

interface Outcome {
  readonly told: readonly Told[];
  readonly failure: number;
}

/**
 * Whatever a peer sends, on either side: no event throws or comes after the last one of its stream, how the bytes
 * are split makes no difference, what we send is well formed, and other connections go on.
 */
export async function fuzz(input: Buffer): Promise<void> {
  const side: Side = ((input[0] ?? 0) & AS_CLIENT) === 0 ? 'server' : 'client';
  const { whole, pieces } = hostileBytes(input, BEGINNINGS[side]);
  const atOnce = run(side, [whole], false);
  const split = run(side, pieces, false);
  deepStrictEqual(untilGoodbye(split), untilGoodbye(atOnce), 'split, the same bytes tell something else');
  run(side, pieces, true);
  await serveWell();
  if (memoryBytes() > MEMORY_BYTES_MAX) throw new Error(`${memoryBytes()} bytes of memory`);
}

/** After GOAWAY nghttp2 may read what comes with it, and nothing that comes later. */
function untilGoodbye({ told, failure }: Outcome): Outcome {
  const goodbye = told.findIndex(([name]) => name === 'goaway');
  return goodbye === -1 ? { told, failure } : { told: told.slice(0, goodbye + 1), failure: 0 };
}

/** @param talksBack whether what is due is sent after each piece, and every call answered. */
function run(side: Side, pieces: readonly Buffer[], talksBack: boolean): Outcome {
  const witness = new NativeWitness();
  const connection = new Connection(side, NATIVE_LIMITS, witness);
  let failure = 0;
  if (side === 'client') begin(connection, witness);
  else if (talksBack) answerAll(connection, witness);
  for (const piece of pieces) {
    failure = connection.receive(piece);
    if (failure !== 0) break;
    if (talksBack) checkSent(connection);
  }
  connection.terminate(0);
  checkSent(connection);
  connection.release();
  if (witness.faults.length > 0) throw new Error('an event failed', { cause: witness.faults[0] });
  checkOrder(witness.told, side);
  return { told: witness.told, failure };
}

/** Three requests that are on their way when the bytes come. */
function begin(connection: NativeConnection, witness: NativeWitness): void {
  for (const length of [0, 100, 100_000]) {
    witness.bodies.set(connection.request(REQUEST), Buffer.alloc(length));
  }
  while (connection.send() !== undefined);
}

function answerAll(connection: NativeConnection, witness: NativeWitness): void {
  witness.bodyEnds = (stream) => connection.trailers(stream, ['grpc-status', '0']);
  const { headers } = witness;
  witness.headers = (stream, fields) => {
    headers.call(witness, stream, fields);
    const ways = [
      () => connection.respond(stream, [':status', '200'], false),
      () => connection.respond(stream, [':status', '200'], true),
      () => connection.reset(stream, 8),
      () => connection.inform(stream, [':status', '100']),
    ];
    witness.bodies.set(stream, Buffer.alloc((stream % 7) * 10_000));
    ways[(stream >> 1) % ways.length]?.();
  };
}

/** What we send is HTTP/2. */
function checkSent(connection: NativeConnection): void {
  for (let out = connection.send(); out !== undefined; out = connection.send()) {
    if (typeof out === 'number') return;
    const { frames, length } = parseFrames(out);
    if (length !== out.length) throw new Error('half a frame was sent');
    for (const { payload, type } of frames) {
      if (payload.length > PAYLOAD_BYTES_MAX) throw new Error('a frame was sent that is too large');
      if (type > 9) throw new Error(`a frame of type ${type} was sent`);
    }
  }
}

/** Of each stream: headers first where somebody else opens it, at most one end, `closed` last. */
function checkOrder(told: readonly Told[], side: Side): void {
  const seen = new Map<number, string[]>();
  for (const event of told) {
    const [name, stream] = event;
    if (name !== 'headers' && name !== 'data' && name !== 'end' && name !== 'closed') continue;
    const before = seen.get(stream) ?? [];
    if (before.includes('closed')) throw new Error(`${name} after the end of stream ${stream}`);
    if (before.includes('end') && name !== 'closed') throw new Error(`${name} after end, stream ${stream}`);
    const opens = name === 'headers' || name === 'closed';
    if (before.length === 0 && !opens && side === 'server') throw new Error(`${name} before headers`);
    seen.set(stream, [...before, name]);
  }
}

export function* seeds(): Generator<Uint8Array> {
  yield* hostileSeeds('client');
  for (const seed of hostileSeeds('server')) {
    seed[0] = (seed[0] ?? 0) | AS_CLIENT;
    yield seed;
  }
}

export const dictionary: readonly (string | Uint8Array)[] = hostileWords;
