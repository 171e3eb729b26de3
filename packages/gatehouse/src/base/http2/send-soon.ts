import type { NativeConnection } from './nghttp2.ts';

/** A connection that has something to hand out. */
interface Sender {
  send(): void;
}

const due: Sender[] = [];
let isReading = false;
let isScheduled = false;

/**
 * Has a connection send at the end of this turn: all that became due meanwhile goes out in one write. While bytes
 * that came are being read, that is when all of them have been.
 */
export function sendSoon(sender: Sender): void {
  due.push(sender);
  if (isReading || isScheduled) return;
  isScheduled = true;
  queueMicrotask(sendDue);
}

/** Has bytes that came read, then everything sent that is due by it. @returns as `NativeConnection.receive`. */
export function reading(connection: NativeConnection, chunk: Buffer): number {
  isReading = true;
  try {
    return connection.receive(chunk);
  } finally {
    isReading = false;
    sendDue();
  }
}

function sendDue(): void {
  isScheduled = false;
  // What is sent may make others due.
  for (let at = 0; at < due.length; at += 1) due[at]?.send();
  due.length = 0;
}
