import type { AcceptConnection, Incoming, TcpConnection } from '#base/wire/tcp-door';
import type { DoorName, FromProcess } from './messages.ts';

type News = Extract<FromProcess, { kind: 'connections' }>;

/** The connections that the supervisor hands to this process. */
export interface ReceivedConnections {
  /** A door of the gateway that gets them. */
  incoming(door: DoorName, address: Incoming['address']): Incoming;
  /** @param connection undefined where it closed on the way. */
  take(id: number, door: DoorName, connection: TcpConnection | undefined): void;
  /** Resolves when no handshake is under way, or after `withinMs`. */
  whenSettled(withinMs: number): Promise<void>;
}

/** @param tell sends word to the supervisor: once per turn of the loop, of all that happened in it. */
export function receiveConnections(tell: (news: News) => void): ReceivedConnections {
  const doors = new Map<DoorName, AcceptConnection>();
  const unsettled = new Set<number>();
  let news = noNews();
  let isTold = true;
  const note = (what: 'taken' | 'settled' | 'closed', id: number): void => {
    news[what].push(id);
    if (!isTold) return;
    isTold = false;
    setImmediate(() => {
      const all = news;
      news = noNews();
      isTold = true;
      tell(all);
    });
  };
  const settle = (id: number): void => {
    if (unsettled.delete(id)) note('settled', id);
  };
  const close = (id: number): void => {
    settle(id);
    note('closed', id);
  };
  return {
    incoming: (door, address) => ({ address, receive: (accept) => doors.set(door, accept) }),
    take(id, door, connection) {
      unsettled.add(id);
      note('taken', id);
      const accept = doors.get(door);
      if (connection === undefined || accept === undefined) {
        connection?.destroy();
        return close(id);
      }
      connection.setNoDelay(true);
      connection.once('close', () => close(id));
      accept(connection, () => settle(id));
    },
    async whenSettled(withinMs) {
      const endsAt = performance.now() + withinMs;
      while (unsettled.size > 0 && performance.now() < endsAt) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
}

function noNews(): { kind: 'connections'; taken: number[]; settled: number[]; closed: number[] } {
  return { kind: 'connections', taken: [], settled: [], closed: [] };
}
