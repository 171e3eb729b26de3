import { Secret } from '#base/crypto/secret';
import type { PlatformLimits } from '#base/model/limits';
import type { ServerIdentity } from '#base/wire/tls-listener';
import type { UseReport } from '#core/limits/use-report';
import type { EngineFacts } from './engine-facts.ts';
import type { GatewaySpec } from './gateway-spec.ts';

/** Which of the platform's doors a connection came to. */
export type DoorName = 'grpc' | 'https';

/** What the supervisor tells a gateway process, in this order. They share a version: both are of one start. */
export type ToProcess =
  /** First. */
  | { readonly kind: 'start'; readonly spec: GatewaySpec }
  /** With the connection itself. Only after `ready`. */
  | { readonly kind: 'connection'; readonly id: number; readonly door: DoorName }
  | { readonly kind: 'identity'; readonly identity: ServerIdentity }
  | { readonly kind: 'limits'; readonly limits: PlatformLimits }
  | { readonly kind: 'engine'; readonly engine: EngineFacts }
  | { readonly kind: 'others'; readonly reports: readonly UseReport[] }
  /** No connection follows. Answered with `quiet`. */
  | { readonly kind: 'quiesce'; readonly withinMs: number }
  /** No connection follows. It ends when it has drained. */
  | { readonly kind: 'drain'; readonly withinMs: number };

/** What a gateway process tells the supervisor. Read with `readFromProcess`. */
export type FromProcess =
  | { readonly kind: 'ready' }
  /** It cannot serve, and ends. */
  | { readonly kind: 'failed'; readonly problem: string }
  /** Numbers of connections: it has them, their handshake is over, they have closed. */
  | {
      readonly kind: 'connections';
      readonly taken: readonly number[];
      readonly settled: readonly number[];
      readonly closed: readonly number[];
    }
  /** At every tick, also where nothing changed: that it lives is news. */
  | { readonly kind: 'use'; readonly reports: readonly UseReport[] }
  | { readonly kind: 'quiet' };

/**
 * How often the use of limits is told, either way. What is told is at most two of these old, and the time that two
 * messages take: 100 ms cost next to nothing and keep what is granted too much small.
 */
export const TICK_MS = 100;

/** The name under which a secret's bytes travel. No key of a message is called so. */
const MARK = '$secret';

/** As text, with its secrets: for the pipe between the supervisor and its process and for nothing else. */
export function writeMessage(message: ToProcess): string {
  return JSON.stringify(message, function (this: Record<string, unknown>, key, value: unknown) {
    const raw = this[key];
    return raw instanceof Secret ? { [MARK]: raw.reveal().toString('base64') } : value;
  });
}

/** @param text what `writeMessage` wrote. */
export function readMessage(text: string): ToProcess {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || !(MARK in value)) return value;
    return new Secret(Buffer.from(String(value[MARK]), 'base64'));
  }) as ToProcess;
}
