import type { TcpConnection } from '#base/wire/tcp-door';
import type { DoorName, FromProcess } from './messages.ts';

/** Whoever connections can be handed to. */
export interface Receiver {
  /** Where that fails it ends, and is removed. */
  hand(id: number, door: DoorName, connection: TcpConnection): void;
  /** Whether it has been heard of lately. */
  isResponsive(): boolean;
}

interface Handed {
  readonly id: number;
  readonly door: DoorName;
  /** Ours as long as no process said that it has it. */
  connection: TcpConnection | undefined;
  /** Undefined once its handshake is over. */
  handshakeOver: (() => void) | undefined;
}

/** More wait only where no process serves, or under a flood. */
const WAITING_MAX = 1024;

/**
 * Hands each connection to the process that has the fewest. Clients keep their connections for minutes, so it is
 * connections that must be spread; and after a restart, the new process gets those that come back.
 *
 * A connection is `waiting` until there is a process; `handed` until that process says that it has it (and handed
 * again where it dies before); `taken` until it has closed, or its process has ended.
 */
export class Dispatch {
  readonly #receivers = new Map<Receiver, Map<number, Handed>>();
  /** Those that get more, whoever got one last at the end: of several that have as few, the first is chosen. */
  readonly #open = new Set<Receiver>();
  readonly #waiting: Handed[] = [];
  #lastId = 0;

  /** @param handshakeOver called once, when the connection costs no handshake any more. */
  offer(door: DoorName, connection: TcpConnection, handshakeOver: () => void): void {
    this.#lastId += 1;
    connection.on('error', () => undefined);
    if (this.#waiting.length >= WAITING_MAX) {
      connection.resetAndDestroy();
      return handshakeOver();
    }
    this.#waiting.push({ id: this.#lastId, door, connection, handshakeOver });
    this.#handOut();
  }

  /** Connections are handed to it from now on. */
  add(receiver: Receiver): void {
    if (!this.#receivers.has(receiver)) this.#receivers.set(receiver, new Map());
    this.#open.add(receiver);
    this.#handOut();
  }

  /** It gets no more; what it has, it keeps. */
  retire(receiver: Receiver): void {
    this.#open.delete(receiver);
  }

  /** It has ended. What it never had goes to others, the rest is gone. */
  remove(receiver: Receiver): void {
    this.#open.delete(receiver);
    const handed = this.#receivers.get(receiver);
    this.#receivers.delete(receiver);
    for (const each of handed?.values() ?? []) {
      if (each.connection === undefined) settle(each);
      else this.#waiting.push(each);
    }
    this.#handOut();
  }

  /** What a process says of the connections that it was handed. */
  hear(receiver: Receiver, { taken, settled, closed }: Extract<FromProcess, { kind: 'connections' }>): void {
    const handed = this.#receivers.get(receiver);
    if (handed === undefined) return;
    for (const id of taken) letGo(handed.get(id));
    for (const id of settled) settle(handed.get(id));
    for (const id of closed) {
      const each = handed.get(id);
      letGo(each);
      settle(each);
      handed.delete(id);
    }
  }

  /** Connections that processes have, or are about to get. */
  get size(): number {
    let size = this.#waiting.length;
    for (const handed of this.#receivers.values()) size += handed.size;
    return size;
  }

  /** Nobody will serve what waits. */
  close(): void {
    for (const each of this.#waiting.splice(0)) {
      each.connection?.destroy();
      settle(each);
    }
  }

  #handOut(): void {
    for (;;) {
      const receiver = this.#choose();
      if (receiver === undefined) return;
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#hand(receiver, next);
    }
  }

  #hand(receiver: Receiver, each: Handed): void {
    const { connection } = each;
    if (connection === undefined || connection.destroyed) return settle(each);
    this.#open.delete(receiver);
    this.#open.add(receiver);
    this.#receivers.get(receiver)?.set(each.id, each);
    receiver.hand(each.id, each.door, connection);
  }

  #choose(): Receiver | undefined {
    const open = [...this.#open];
    const responsive = open.filter((receiver) => receiver.isResponsive());
    let chosen: Receiver | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const receiver of responsive.length > 0 ? responsive : open) {
      const count = this.#receivers.get(receiver)?.size ?? 0;
      if (count >= fewest) continue;
      chosen = receiver;
      fewest = count;
    }
    return chosen;
  }
}

/** The process has it: our hold on it ends, which closes nothing. */
function letGo(each: Handed | undefined): void {
  each?.connection?.destroy();
  if (each !== undefined) each.connection = undefined;
}

function settle(each: Handed | undefined): void {
  each?.handshakeOver?.();
  if (each !== undefined) each.handshakeOver = undefined;
}
