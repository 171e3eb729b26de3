import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import {
  type Field,
  Flag,
  type Frame,
  FrameType,
  frame,
  literals,
  PREFACE,
  readFrames,
  settings,
} from './h2-frames.ts';
import type { H2Site } from './h2-site.ts';

export const TENANT = 'orders.acme1';
export const NEIGHBOUR = 'billing.other1';
export const SERVICE = '/temporal.api.workflowservice.v1.WorkflowService/';

const PEER_LIFE_MS = 15_000;

/** A client whose every byte is chosen, and that sees every frame that comes back. */
export interface H2Peer {
  readonly socket: TLSSocket;
  readonly frames: readonly Frame[];
  /** Resolves when the bytes have left, or the connection has gone. */
  send(...bytes: readonly Uint8Array[]): Promise<void>;
  /** The first frame that fits, now or later; undefined when the connection ends without one. */
  next(fits: (frame: Frame) => boolean): Promise<Frame | undefined>;
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;
  /** Resolves when the gateway's settings are acknowledged. */
  readonly acknowledged: Promise<void>;
  /** Our address as the gateway sees it. */
  readonly local: string;
  /** Stops reading, so that the gateway cannot write. */
  pause(): void;
  close(): void;
}

export interface PeerOptions {
  readonly namespaceId?: string;
  /** The frame of settings to begin with; by default an empty one. */
  readonly first?: Uint8Array;
  /** Whether the gateway's settings are acknowledged: as soon as they come, by default. */
  readonly acknowledges?: boolean;
  readonly tls?: ConnectionOptions;
  readonly port?: number;
}

export function tlsOf(
  site: H2Site,
  namespaceId: string = TENANT,
  port: number = site.grpc,
): ConnectionOptions {
  return {
    host: '127.0.0.1',
    port,
    servername: `${namespaceId}.${site.domain}`,
    ca: site.serverCa,
    cert: site.cert,
    key: site.key,
    ALPNProtocols: ['h2'],
  };
}

/** Connects, sends the preface, and acknowledges the gateway's settings. */
export async function openPeer(site: H2Site, options: PeerOptions = {}): Promise<H2Peer> {
  const socket = connect({ ...tlsOf(site, options.namespaceId, options.port), ...options.tls });
  const frames: Frame[] = [];
  const waiting = new Set<() => void>();
  let held: Buffer = Buffer.alloc(0);
  let over = false;
  let sending = (): void => undefined;
  const wake = (): void => {
    for (const check of [...waiting]) check();
  };
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    const read = readFrames(held.length === 0 ? chunk : Buffer.concat([held, chunk]));
    held = read.rest;
    for (const each of read.frames) {
      // A peer that reads a flood must not drown in it itself.
      if (frames.length < 50_000) frames.push(each);
      if (
        each.type === FrameType.settings &&
        (each.flags & Flag.ack) === 0 &&
        options.acknowledges !== false
      ) {
        socket.write(frame(FrameType.settings, Flag.ack, 0), () => acknowledge());
      }
    }
    wake();
  });
  let acknowledge = (): void => undefined;
  const acknowledged = new Promise<void>((resolve) => {
    acknowledge = resolve;
  });
  const ended = new Promise<void>((resolve) => {
    socket.on('close', () => {
      over = true;
      sending();
      resolve();
      wake();
    });
  });
  // Whoever waits for a frame or an end that does not come is to fail, not to hang.
  setTimeout(() => socket.destroy(), PEER_LIFE_MS).unref();
  await once(socket, 'secureConnect');
  const local = `${socket.localAddress}:${socket.localPort}`;
  socket.write(Buffer.concat([PREFACE, options.first ?? settings()]));
  return {
    socket,
    frames,
    ended,
    acknowledged,
    local,
    send: (...bytes) =>
      new Promise((resolve) => {
        if (over) return resolve();
        sending = resolve;
        socket.write(Buffer.concat(bytes), () => resolve());
      }),
    next: (fits) =>
      new Promise((resolve) => {
        const check = (): void => {
          const found = frames.find(fits);
          if (found === undefined && !over) return;
          waiting.delete(check);
          resolve(found);
        };
        waiting.add(check);
        check();
      }),
    pause: () => void socket.pause(),
    close: () => void socket.destroy(),
  };
}

/** The fields of a gRPC call's head, with others in place of or after them. */
export function callFields(site: H2Site, method: string, more: readonly Field[] = []): Field[] {
  return [
    [':method', 'POST'],
    [':scheme', 'https'],
    [':path', `${SERVICE}${method}`],
    [':authority', `${TENANT}.${site.domain}`],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...more,
  ];
}

/** HEADERS of a call without its message. */
export function callHead(
  site: H2Site,
  streamId: number,
  method: string,
  more: readonly Field[] = [],
): Buffer {
  return frame(FrameType.headers, Flag.endHeaders, streamId, literals(callFields(site, method, more)));
}

/** DATA with one whole, empty gRPC message, which ends the stream. */
export const emptyMessage = (streamId: number): Buffer =>
  frame(FrameType.data, Flag.endStream, streamId, Buffer.alloc(5));

/** The code of a GOAWAY or RST_STREAM. */
export function codeOf(found: Frame | undefined): number | undefined {
  if (found?.type === FrameType.goaway) return found.payload.readUInt32BE(4);
  return found?.type === FrameType.rstStream ? found.payload.readUInt32BE(0) : undefined;
}
