import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { FrameType } from './h2-frames.ts';
import { codeOf, type H2Peer, NEIGHBOUR, openPeer, type PeerOptions, SERVICE, tlsOf } from './h2-peer.ts';
import type { GatewayState, H2Site } from './h2-site.ts';

/** HTTP/2's error codes by their names. */
export const H2 = {
  noError: 0,
  protocolError: 1,
  flowControlError: 3,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  compressionError: 9,
  enhanceYourCalm: 11,
} as const;

export interface ExpectedEnd {
  /** Of the GOAWAY; undefined where the runtime hangs up without one. */
  readonly code: number | undefined;
  /** Of the one record of the connection. */
  readonly reason: string;
  /** What the engine sees of the attack; nothing unless said otherwise. */
  readonly engineSaw?: number;
}

/** A reset may overtake the last frame on its way to a client that is still writing: then the next one tells. */
const ATTEMPTS_MAX = 8;

/**
 * Makes an attack on a connection of its own: the gateway ends it with GOAWAY, records it once, and the engine sees
 * nothing of it.
 */
export async function endsConnection(
  site: H2Site,
  expected: ExpectedEnd,
  attack: (peer: H2Peer) => Promise<unknown>,
  options: PeerOptions = {},
): Promise<GatewayState> {
  for (let attempt = 1; ; attempt += 1) {
    await site.ask({ reset: true });
    const peer = await openPeer(site, options);
    await attack(peer);
    const goaway = await peer.next(
      ({ type, payload }) => type === FrameType.goaway && payload.readUInt32BE(4) !== 0,
    );
    await peer.ended;
    const key = `connection refused ${expected.reason}`;
    const state = await site.until(({ counts }) => counts[key] !== undefined, key);
    assert.equal(state.counts[key], 1, 'one record of the connection');
    const record = state.events.find(({ kind }) => kind === 'connection');
    assert.deepEqual([record?.peer, record?.namespace], [peer.local, 'orders.acme1']);
    assert.equal(state.engineSaw, expected.engineSaw ?? 0, 'what the engine saw');
    assert.deepEqual(state.errors, []);
    if (goaway === undefined && expected.code !== undefined && attempt < ATTEMPTS_MAX) continue;
    assert.equal(codeOf(goaway), expected.code, 'the code of the GOAWAY');
    return state;
  }
}

/** A client that does nothing wrong, on one connection, through all that others do. */
export interface Neighbour {
  /** Makes a call. @returns how long it took. @throws AssertionError where it fails. */
  call(): Promise<number>;
  close(): void;
}

export function openNeighbour(site: H2Site, namespaceId: string = NEIGHBOUR): Neighbour {
  const authority = `${namespaceId}.${site.domain}`;
  const session: ClientHttp2Session = connect(`https://${authority}`, {
    createConnection: () => connectTls(tlsOf(site, namespaceId)),
  });
  session.on('error', () => undefined);
  return {
    call: () =>
      new Promise((resolve, reject) => {
        const beganMs = performance.now();
        const stream = session.request({
          ':method': 'POST',
          ':path': `${SERVICE}GetSystemInfo`,
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        let status = 'none';
        const read = (headers: Record<string, unknown>): void => {
          status = String(headers['grpc-status'] ?? status);
        };
        stream.on('response', read).on('trailers', read).on('error', reject).resume();
        stream.on('close', () => {
          if (status === '0') resolve(performance.now() - beganMs);
          else reject(new assert.AssertionError({ message: `the neighbour got status ${status}` }));
        });
        stream.end(Buffer.alloc(5));
      }),
    close: () => session.destroy(),
  };
}

/** So many frames in one buffer. */
export const many = (count: number, make: (index: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));

/** Goes on sending until the gateway hangs up. @throws AssertionError where it has not after so many bytes. */
export async function floodUntilClosed(
  peer: H2Peer,
  chunk: Buffer,
  bytesMax = 64 * 1024 * 1024,
): Promise<void> {
  let over = false;
  void peer.ended.then(() => {
    over = true;
  });
  for (let sent = 0; !over; sent += chunk.length) {
    assert.ok(sent < bytesMax, 'the gateway takes a flood without end');
    await peer.send(chunk);
    // A write to a connection that has gone fails at once, before anybody hears that it has gone.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
