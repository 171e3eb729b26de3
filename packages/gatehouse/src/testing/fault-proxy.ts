import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

/** `reset` cuts each connection, `hang` never answers, an answer is given in the service's place. */
export type ProxyBehaviour = 'pass' | 'reset' | 'hang' | ProxyAnswer;

export interface ProxyAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A plain HTTP proxy in front of one service, which answers wrongly when told to. */
export interface FaultProxy {
  /** `http://127.0.0.1:PORT`. */
  readonly address: string;
  /** Requests so far. */
  readonly count: number;
  behave(behaviour: ProxyBehaviour): void;
  /** Every answer of the service goes through this; undefined: as it is. */
  rewrite(change: ((url: string, body: string) => string) | undefined): void;
  close(): Promise<void>;
}

/** @param target `http://host:port` of the service. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  let behaviour: ProxyBehaviour = 'pass';
  let change: ((url: string, body: string) => string) | undefined;
  let count = 0;
  const server = createServer((req, res) => {
    count += 1;
    if (behaviour === 'reset') req.socket.destroy();
    else if (behaviour === 'hang') req.resume();
    else if (behaviour === 'pass') pass(target, req, res, change).catch(() => req.socket.destroy());
    else res.writeHead(behaviour.status, behaviour.headers ?? {}).end(behaviour.body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = server.address();
  if (at === null || typeof at === 'string') throw new Error('no port');
  return {
    address: `http://127.0.0.1:${at.port}`,
    get count() {
      return count;
    },
    behave(next) {
      behaviour = next;
    },
    rewrite(next) {
      change = next;
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function pass(
  target: string,
  req: IncomingMessage,
  res: ServerResponse,
  change: ((url: string, body: string) => string) | undefined,
): Promise<void> {
  const url = req.url ?? '/';
  const onward = request(`${target}${url}`, { method: req.method ?? 'GET', headers: req.headers });
  req.pipe(onward);
  const reply: IncomingMessage = await new Promise((resolve, reject) => {
    onward.on('response', resolve).on('error', reject);
  });
  const body = await text(reply);
  const { 'content-length': _, 'transfer-encoding': __, ...headers } = reply.headers;
  res.writeHead(reply.statusCode ?? 502, headers).end(change === undefined ? body : change(url, body));
}
