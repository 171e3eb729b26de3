/** A client that does not answer the ping of a drain gets the final GOAWAY after this. */
const NOTICE_MS = 1000;
/** Between the answer to that ping and the final GOAWAY: clients answer pings before requests that they have queued. */
const SETTLE_MS = 100;
/** The highest stream id of HTTP/2: in a GOAWAY it says "soon", and refuses nothing that is on its way. */
const ANY_STREAM = 2 ** 31 - 1;

/** A connection of either HTTP version, as much of it as is needed to end it. */
export interface DrainableSession {
  /** Lets running calls finish and takes no new ones. */
  close(): void;
  /** HTTP/2 only, like `ping`. */
  goaway?(code: number, lastStreamId: number): void;
  ping?(answered: () => void): boolean;
  readonly closed?: boolean;
  readonly destroyed?: boolean;
}

/**
 * RFC 9113 section 6.8: first a GOAWAY that refuses nothing, and the final one a round trip later, so that no
 * request is lost that was on its way meanwhile. Streams that are open go on.
 */
export function drainSession(session: DrainableSession): void {
  if (session.goaway === undefined || session.ping === undefined || session.destroyed === true) {
    session.close();
    return;
  }
  const finish = (): void => {
    if (session.closed !== true && session.destroyed !== true) session.close();
  };
  let timer = setTimeout(finish, NOTICE_MS).unref();
  session.goaway(0, ANY_STREAM);
  session.ping(() => {
    clearTimeout(timer);
    timer = setTimeout(finish, SETTLE_MS).unref();
  });
}
