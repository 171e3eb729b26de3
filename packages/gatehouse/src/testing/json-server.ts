import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';

export interface JsonRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** The body as it came. */
  readonly body: string;
  /** The body as JSON; empty where it is none. */
  readonly json: Record<string, unknown>;
}

export interface JsonAnswer {
  readonly status: number;
  readonly json: object;
}

export interface JsonServer {
  /** `http://127.0.0.1:PORT`. */
  readonly address: string;
  close(): Promise<void>;
}

/** A server on the loopback that answers JSON: what stubs of web services stand on. */
export async function startJsonServer(
  answer: (request: JsonRequest) => JsonAnswer | Promise<JsonAnswer>,
): Promise<JsonServer> {
  const server = createServer(async (req, res) => {
    try {
      const body = await text(req);
      const { method = '', url = '', headers } = req;
      const { status, json } = await answer({ method, url, headers, body, json: parse(body) });
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    } catch {
      // The client went away, or the stub has a fault of its own: either way the connection ends.
      res.destroy();
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('no port');
  return {
    address: `http://127.0.0.1:${at.port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function parse(body: string): Record<string, unknown> {
  try {
    return JSON.parse(body);
  } catch {
    return {};
  }
}
