import type { ClientHttp2Session } from 'node:http2';

/** The engine hangs up on a client that pings more often than every 10 s (`frontend.keepAliveMinTime`). */
const PING_MS = 12_000;
const PONG_MS = 5000;

/**
 * Pings the other side of a connection for as long as it lasts, and destroys it where no answer comes: a peer that is
 * gone without a word would otherwise be used until the system gives up on it, a quarter of an hour later (F-20).
 */
export function keepAlive(session: ClientHttp2Session, pingMs = PING_MS, pongMs = PONG_MS): void {
  let patience: NodeJS.Timeout | undefined;
  const beat = setInterval(() => {
    if (session.destroyed) return;
    patience = setTimeout(() => session.destroy(), pongMs).unref();
    if (!session.ping(() => clearTimeout(patience))) clearTimeout(patience);
  }, pingMs).unref();
  session.once('close', () => {
    clearInterval(beat);
    clearTimeout(patience);
  });
}
