import { request } from 'node:https';
import { networkInterfaces } from 'node:os';
import type { EngineTls } from './engine-call.ts';
import { ENGINE_SERVICES, type EnginePorts, listPorts } from './engine-ports.ts';
import { listListeningSockets } from './listening-sockets.ts';
import type { SelfTestCheck } from './self-test-check.ts';
import { refused } from './self-test-frontend.ts';
import { HTTP2_HELLO, probe } from './tls-probe.ts';

export interface PortTarget {
  readonly ports: EnginePorts;
  readonly pid: number;
  readonly tls: EngineTls;
  readonly nexusEnabled: boolean;
}

const LOOPBACK = '127.0.0.1';

/** What answers around the frontend: nothing, with the gateway's certificate, with none, and in plain text. */
export async function checkPorts(target: PortTarget): Promise<readonly SelfTestCheck[]> {
  const groups = await Promise.all([
    checkInsidePorts(target),
    checkOtherAddresses(target.ports),
    checkListeners(target),
    checkNexusHttp(target),
  ]);
  return groups.flat();
}

/** gRPC of the inner services and every membership port ask for the internode certificate. */
async function checkInsidePorts({ ports, tls }: PortTarget): Promise<readonly SelfTestCheck[]> {
  const places = [
    ...ENGINE_SERVICES.filter((service) => service !== 'frontend').map(
      (service) => [`${service} port`, ports.grpc[service]] as const,
    ),
    ...ENGINE_SERVICES.map((service) => [`${service} membership port`, ports.membership[service]] as const),
  ];
  const knocks = places.flatMap(([name, port]) => {
    const base = { host: LOOPBACK, port, send: HTTP2_HELLO };
    return [
      [`${name} with the gateway certificate`, { ...base, tls: { cert: tls.cert, key: tls.key } }] as const,
      [`${name} without a certificate`, { ...base, tls: {} }] as const,
      [`${name} in plain text`, base] as const,
    ];
  });
  return Promise.all(knocks.map(async ([check, knock]) => refused(check, await probe(knock))));
}

/** Nothing of it is on IPv6 or on an address that other machines can reach: metrics and keys are in clear. */
async function checkOtherAddresses(ports: EnginePorts): Promise<readonly SelfTestCheck[]> {
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => !address.internal)
    .map((address) => (address.scopeid ? `${address.address}%${address.scopeid}` : address.address));
  return Promise.all(
    ['::1', ...outside].map(async (host) => {
      const results = await Promise.all(
        listPorts(ports).map(async (port) => ({ port, result: await probe({ host, port, limitMs: 1_000 }) })),
      );
      const open = results.filter(({ result }) => result.outcome !== 'closed').map(({ port }) => port);
      const where = host === '::1' ? 'the IPv6 loopback' : `address ${host}`;
      return {
        check: `no port on ${where}`,
        held: open.length === 0,
        detail: open.length === 0 ? 'all closed' : `open: ${open.join(', ')}`,
      };
    }),
  );
}

/** The whole truth about listeners, where the system tells it: no HTTP port, no pprof, nothing forgotten. */
async function checkListeners({ ports, pid, nexusEnabled }: PortTarget): Promise<readonly SelfTestCheck[]> {
  const check = 'the engine listens on its own loopback ports only';
  const sockets = await listListeningSockets(pid);
  if (sockets === undefined) return [{ check, held: true, detail: 'not checked: this system has no /proc' }];
  const expected = new Set([
    ...Object.values(ports.grpc),
    ...Object.values(ports.membership),
    ports.metrics,
    ...(nexusEnabled ? [ports.nexusHttp] : []),
  ]);
  const wrong = sockets.filter((socket) => socket.address !== LOOPBACK || !expected.has(socket.port));
  const detail =
    wrong.length === 0
      ? `${sockets.length} listeners`
      : wrong.map((socket) => `${socket.address}:${socket.port}`).join(', ');
  return [{ check, held: wrong.length === 0 && sockets.length > 0, detail }];
}

async function checkNexusHttp({ ports, tls, nexusEnabled }: PortTarget): Promise<readonly SelfTestCheck[]> {
  const knock = { host: LOOPBACK, port: ports.nexusHttp, send: HTTP2_HELLO };
  if (!nexusEnabled) {
    const result = await probe(knock);
    return [
      {
        check: 'no HTTP port',
        held: result.outcome === 'closed',
        detail: `${result.outcome}: ${result.detail}`,
      },
    ];
  }
  const status = await askHttpApi(ports.nexusHttp, tls);
  return [
    refused('the Nexus HTTP port without a certificate', await probe({ ...knock, tls: {} })),
    {
      check: "the engine's HTTP API at the Nexus port with the gateway certificate",
      held: status === FORBIDDEN,
      detail: `HTTP status ${status}`,
    },
    {
      check: 'the Nexus HTTP port with the gateway certificate',
      held: true,
      detail:
        'known cost of Nexus: whoever holds the gateway key can start and complete Nexus operations of every ' +
        'namespace at this port, without a token; keep other users off the loopback of this machine',
    },
  ];
}

const FORBIDDEN = 403;

/** Lists all namespaces, as only a system admin may. @returns the HTTP status, or 0 where there was none. */
function askHttpApi(port: number, { cert, key }: EngineTls): Promise<number> {
  return new Promise((resolve) => {
    const options = { host: LOOPBACK, port, path: '/api/v1/namespaces', cert, key, timeout: 5_000 };
    // The server's certificate is never checked: an attacker would not care.
    const call = request({ ...options, rejectUnauthorized: false, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(0));
    call.end();
  });
}
