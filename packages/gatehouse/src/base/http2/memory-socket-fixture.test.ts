// No test itself: a connection whose TLS is done, without TLS and without a network.

import { EventEmitter } from 'node:events';
import type { TLSSocket } from 'node:tls';

/** As much of a socket as HTTP/2 uses: what is written is kept, what comes is given by `come`. */
export class MemorySocket extends EventEmitter {
  readonly written: Buffer[] = [];
  bytesRead = 0;
  /** What `write` answers; `drain` is then the test's to emit. */
  hasRoom = true;
  isEnded = false;
  destroyed = false;
  /** `close` has been told. */
  closed = false;

  /** As our side takes it. */
  get asTls(): TLSSocket {
    return this as unknown as TLSSocket;
  }

  /** Bytes from the other side. A real socket gives none after its end. */
  come(chunk: Buffer): void {
    if (this.destroyed) return;
    this.bytesRead += chunk.length;
    this.emit('data', chunk);
  }

  setNoDelay(): void {}

  write(bytes: Buffer): boolean {
    if (this.isEnded || this.destroyed) return false;
    this.written.push(bytes);
    return this.hasRoom;
  }

  end(): void {
    this.isEnded = true;
  }

  /** As with a real socket, `close` comes later. */
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    queueMicrotask(() => {
      this.closed = true;
      this.emit('close');
    });
  }
}
