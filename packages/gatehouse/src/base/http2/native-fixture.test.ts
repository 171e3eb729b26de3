// No test itself: nghttp2 without sockets, with all that it tells written down, and its memory in sight.

import type { HeaderFields } from './header-fields.ts';
import type { NativeConnection, NativeEvents, NativeLimits } from './nghttp2.ts';

/** As {@link import('./nghttp2.ts')}, and its memory beside it. */
type Nghttp2 = typeof import('./nghttp2.ts') & {
  /** All that WebAssembly has; it never shrinks. */
  readonly memoryBytes: () => number;
};

let loading: Promise<Nghttp2> | undefined;

/** Whoever wants to see the memory must come first: the module keeps it to itself. */
export function loadNghttp2(): Promise<Nghttp2> {
  loading ??= loadWatched();
  return loading;
}

async function loadWatched(): Promise<Nghttp2> {
  const { Instance } = WebAssembly;
  let memory: WebAssembly.Memory | undefined;
  class Watched extends Instance {
    constructor(...given: ConstructorParameters<typeof Instance>) {
      super(...given);
      ({ memory } = this.exports as { memory: WebAssembly.Memory });
    }
  }
  Object.assign(WebAssembly, { Instance: Watched });
  const module = await import('./nghttp2.ts');
  Object.assign(WebAssembly, { Instance });
  if (memory === undefined) throw new Error('nghttp2.ts had been loaded before');
  const { buffer } = memory;
  if (buffer.byteLength === 0) throw new Error('no memory');
  return { ...module, memoryBytes: () => memory?.buffer.byteLength ?? 0 };
}

/** As the pool of connections to the engine has them. */
export const CLIENT_LIMITS: NativeLimits = {
  streamsMax: 0,
  peerStreamsMax: 100_000,
  headerBytesMax: 65_535,
  headerFieldsMax: 128,
  sentHeaderBytesMax: 128 * 1024,
  streamWindow: 1024 * 1024,
  connectionWindow: 16 * 1024 * 1024,
};

/** Small, where the place of a limit matters. */
export const NATIVE_LIMITS: NativeLimits = {
  streamsMax: 100,
  peerStreamsMax: 100,
  headerBytesMax: 64 * 1024,
  headerFieldsMax: 128,
  sentHeaderBytesMax: 64 * 1024,
  streamWindow: 64 * 1024,
  connectionWindow: 1024 * 1024,
};

export type Told =
  | readonly ['headers', stream: number, fields: HeaderFields]
  | readonly ['data', stream: number, bytes: Buffer]
  | readonly ['end', stream: number]
  | readonly ['finished', stream: number]
  | readonly ['useless', type: number]
  | readonly ['goaway', code: number]
  | readonly ['goawaySent', code: number]
  | readonly ['closed', stream: number, code: number]
  | readonly ['pong'];

/** Writes down what nghttp2 tells; pieces of a body that follow each other are one. */
export class NativeWitness implements NativeEvents {
  told: Told[] = [];
  readonly faults: unknown[] = [];
  /** Of each stream, what is sent next. */
  readonly bodies = new Map<number, Buffer>();
  /** Called when the last piece of a body is given out: a server sends its trailers then. */
  bodyEnds: (stream: number) => void = () => undefined;
  /** What `data` answers. */
  consumes: (length: number) => number = (length) => length;

  headers(stream: number, fields: HeaderFields): void {
    this.told.push(['headers', stream, fields]);
  }

  data(stream: number, chunk: Buffer): number {
    const last = this.told.at(-1);
    if (last?.[0] === 'data' && last[1] === stream) {
      this.told.pop();
      this.told.push(['data', stream, Buffer.concat([last[2], chunk])]);
    } else this.told.push(['data', stream, Buffer.from(chunk)]);
    return this.consumes(chunk.length);
  }

  end(stream: number): void {
    this.told.push(['end', stream]);
  }

  finished(stream: number): void {
    this.told.push(['finished', stream]);
  }

  closed(stream: number, code: number): void {
    this.told.push(['closed', stream, code]);
  }

  goaway(code: number): void {
    this.told.push(['goaway', code]);
  }

  goawaySent(code: number): void {
    this.told.push(['goawaySent', code]);
  }

  useless(type: number): void {
    this.told.push(['useless', type]);
  }

  pong(): void {
    this.told.push(['pong']);
  }

  body(stream: number, out: Buffer, at: number, room: number): number {
    const left = this.bodies.get(stream) ?? Buffer.alloc(0);
    const length = left.copy(out, at, 0, room);
    this.bodies.set(stream, left.subarray(length));
    if (length < left.length) return length;
    this.bodyEnds(stream);
    return length + 2 ** 30;
  }

  failed(error: unknown): void {
    this.faults.push(error);
  }

  /** What was told under one name. */
  of<Name extends Told[0]>(name: Name): readonly Extract<Told, readonly [Name, ...unknown[]]>[] {
    return this.told.filter((it): it is Extract<Told, readonly [Name, ...unknown[]]> => it[0] === name);
  }
}

/** All that is due. @throws Error where nghttp2 gives the connection up. */
export function takeAll(connection: NativeConnection): Buffer {
  const taken: Buffer[] = [];
  for (let next = connection.send(); next !== undefined; next = connection.send()) {
    if (typeof next === 'number') throw new Error(`nghttp2 gave up: ${next}`);
    taken.push(next);
  }
  return Buffer.concat(taken);
}

/** Hands what each side has to say to the other, until both have said all. */
export function converse(one: NativeConnection, other: NativeConnection): void {
  while (true) {
    const [there, back] = [takeAll(one), takeAll(other)];
    if (there.length + back.length === 0) return;
    for (const [to, bytes] of [
      [other, there],
      [one, back],
    ] as const) {
      const failure = to.receive(bytes);
      if (failure !== 0) throw new Error(`nghttp2 gave up: ${failure}`);
    }
  }
}

/** The stream that {@link serveWell} asks on: a client's first. */
const FIRST_STREAM = 1;

/** Proves that nghttp2 still does what it should, whatever other connections went through. @throws Error if not. */
export async function serveWell(): Promise<void> {
  const { NativeConnection: Connection } = await loadNghttp2();
  const [asking, serving] = [new NativeWitness(), new NativeWitness()];
  const client = new Connection('client', NATIVE_LIMITS, asking);
  const server = new Connection('server', NATIVE_LIMITS, serving);
  serving.bodyEnds = (stream) => server.trailers(stream, ['grpc-status', '0']);
  client.request([':method', 'POST', ':scheme', 'https', ':authority', 'x', ':path', '/well']);
  asking.bodies.set(FIRST_STREAM, Buffer.from('question'));
  converse(client, server);
  serving.bodies.set(FIRST_STREAM, Buffer.from('answer'));
  server.respond(FIRST_STREAM, [':status', '200'], true);
  converse(client, server);
  const told = JSON.stringify([serving.of('data'), asking.of('data'), asking.of('closed')]);
  const expected = [
    [['data', FIRST_STREAM, Buffer.from('question')]],
    [['data', FIRST_STREAM, Buffer.from('answer')]],
    [['closed', FIRST_STREAM, 0]],
  ];
  client.release();
  server.release();
  if (told !== JSON.stringify(expected)) throw new Error(`a good call on another connection got ${told}`);
}
