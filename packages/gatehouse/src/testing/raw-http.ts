import { type ConnectionOptions, connect } from 'node:tls';
import type { ClientCredential } from './client-credential.ts';
import type { House } from './house.ts';
import { tlsOptionsOf } from './tls-attempt.ts';

/** One HTTP/1.1 request to the HTTPS endpoint, written as it stands: no library tidies its target or headers. */
export interface RawHttpRequest {
  readonly namespaceId: string;
  readonly credential?: ClientCredential;
  readonly method?: string;
  readonly target: string;
  /** Whole lines. `host` stands first where it is not among them. */
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly tls?: ConnectionOptions;
}

export interface RawHttpAnswer {
  /** 0 where the connection ended without a status line. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const TIMEOUT_MS = 8000;

/** @throws Error where neither an answer nor an end comes in time. */
export async function requestRaw(house: House, request: RawHttpRequest): Promise<RawHttpAnswer> {
  const { endpoint } = house;
  if (endpoint.https === null) throw new Error('the house has no HTTPS endpoint');
  const serverName = `${request.namespaceId}.${endpoint.domain}`;
  const tls = { ALPNProtocols: ['http/1.1'], checkServerIdentity: () => undefined, ...request.tls };
  const { credential } = request;
  const options = tlsOptionsOf({
    endpoint,
    serverName,
    address: endpoint.https,
    tls,
    ...(credential === undefined ? {} : { credential }),
  });
  return parseAnswer(await exchange(options, textOf(request, serverName)));
}

function textOf(
  { method = 'GET', target, headers = [], body = '' }: RawHttpRequest,
  serverName: string,
): string {
  const hasHost = headers.some((line) => /^host:/i.test(line));
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...(hasHost ? [] : [`host: ${serverName}`]),
    ...headers,
    'connection: close',
    ...(body === '' ? [] : [`content-length: ${Buffer.byteLength(body)}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

function exchange(options: ConnectionOptions, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(options, () => socket.write(text));
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no answer and no end in time to ${text.split('\r\n')[0]}`));
    }, TIMEOUT_MS);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // An end without an answer is an answer too.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
  });
}

function parseAnswer(text: string): RawHttpAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? 0),
    headers,
    body: rest.join('\r\n\r\n'),
  };
}
