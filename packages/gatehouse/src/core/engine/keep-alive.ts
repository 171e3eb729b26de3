import type { ClientConnection } from '#base/http2/client-connection';

/** The engine hangs up on a client that pings more often than every 10 s (`frontend.keepAliveMinTime`). */
const PING_MS = 12_000;
const PONG_MS = 5000;

/**
 * Pings the other side of a connection for as long as it lasts, and destroys it where no answer comes: a peer that is
 * gone without a word would otherwise be used until the system gives up on it, a quarter of an hour later (F-20).
 */
export function keepAlive(connection: ClientConnection, pingMs = PING_MS, pongMs = PONG_MS): void {
  let patience: NodeJS.Timeout | undefined;
  const beat = setInterval(() => {
    if (connection.isDestroyed) return;
    patience = setTimeout(() => connection.destroy(), pongMs).unref();
    connection.ping(() => clearTimeout(patience));
  }, pingMs).unref();
  connection.onClose(() => {
    clearInterval(beat);
    clearTimeout(patience);
  });
}
