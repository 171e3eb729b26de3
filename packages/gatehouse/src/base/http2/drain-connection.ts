/** A client that does not answer the ping of a drain gets the final GOAWAY after this. */
const NOTICE_MS = 1000;
/** Between the answer to that ping and the final GOAWAY: clients answer pings before requests that they have queued. */
const SETTLE_MS = 100;

/** A connection of either HTTP version, as much of it as is needed to end it. */
export interface DrainableConnection {
  /** Lets running calls finish and takes no new ones. */
  close(): void;
  /** Says that `close` is coming, and refuses nothing yet: HTTP/2 only, like `ping`. */
  notice?(): void;
  ping?(answered: () => void): void;
  readonly isClosing?: boolean;
}

/**
 * RFC 9113 section 6.8: first a GOAWAY that refuses nothing, and the final one a round trip later, so that no
 * request is lost that was on its way meanwhile. Streams that are open go on.
 */
export function drainConnection(connection: DrainableConnection): void {
  if (connection.notice === undefined || connection.ping === undefined) {
    connection.close();
    return;
  }
  if (connection.isClosing === true) return;
  const finish = (): void => connection.close();
  let timer = setTimeout(finish, NOTICE_MS).unref();
  connection.notice();
  connection.ping(() => {
    clearTimeout(timer);
    timer = setTimeout(finish, SETTLE_MS).unref();
  });
}
