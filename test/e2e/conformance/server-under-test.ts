// Run by the suite as the server under test: the gateway's data path as `start-gateway.ts` puts it together, from HTTP/2
// to the engine and back. In the engine's place stands the suite's own service on grpc-go. The gateway relays only what
// is in its method table, so the suite's method is put there in place of another, under whose path it passes.

import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { Secret } from '../../../packages/gatehouse/src/base/crypto/secret.ts';
import { createTokenKeyring } from '../../../packages/gatehouse/src/base/crypto/token-keyring.ts';
import { ClientConnection } from '../../../packages/gatehouse/src/base/http2/client-connection.ts';
import { serveHttp2 } from '../../../packages/gatehouse/src/base/http2/serve-http2.ts';
import { defaultLimits } from '../../../packages/gatehouse/src/base/model/limits.ts';
import {
  generateCa,
  generateInternalCa,
  generateLeaf,
  generateServiceCertificate,
} from '../../../packages/gatehouse/src/base/pki/generate.ts';
import { Kind } from '../../../packages/gatehouse/src/base/proto/wire-kinds.ts';
import {
  type MessageTable,
  type MethodTable,
  methodTables,
} from '../../../packages/gatehouse/src/base/proto/wire-tables.ts';
import { systemClock } from '../../../packages/gatehouse/src/base/runtime/clock.ts';
import { createLog } from '../../../packages/gatehouse/src/base/runtime/log.ts';
import { REQUEST_BYTES_MAX } from '../../../packages/gatehouse/src/base/wire/grpc-message.ts';
import { EnginePool } from '../../../packages/gatehouse/src/core/engine/engine-pool.ts';
import { Limits } from '../../../packages/gatehouse/src/core/limits/limits.ts';
import { Deadlines } from '../../../packages/gatehouse/src/planes/gateway/deadlines.ts';
import {
  type GrpcDoorDeps,
  serveGrpcStream,
} from '../../../packages/gatehouse/src/planes/gateway/grpc-door.ts';
import type { Connection } from '../../../packages/gatehouse/src/planes/gateway/identified-call.ts';
import { Identifier } from '../../../packages/gatehouse/src/planes/gateway/identify.ts';
import { Recorder } from '../../../packages/gatehouse/src/planes/gateway/record.ts';
import { memoryAudit } from '../../../packages/gatehouse/src/testing/memory-audit.ts';
import { namespaceRecord } from '../../../packages/gatehouse/src/testing/namespace-record.ts';
import { noSealing } from '../../../packages/gatehouse/src/testing/no-sealing.ts';
import { fieldsOf } from './read-fields.ts';
import { readMessages, sizedMessage } from './sized-message.ts';

const UNARY = '/connectrpc.conformance.v1.ConformanceService/Unary';
const STAND_IN = '/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo';
const DAY_MS = 86_400_000;
const nowMs = Date.now();

/** UnaryRequest and UnaryResponse of the suite's service.proto: nothing in them has a role. */
const message = (name: string, ...kinds: readonly number[]): MessageTable => ({
  name,
  codes: Int32Array.of(0, ...kinds),
  children: [],
  interesting: false,
});
(methodTables as Map<string, MethodTable>).set(STAND_IN, {
  service: 'temporal.api.workflowservice.v1.WorkflowService',
  name: 'GetSystemInfo',
  path: STAND_IN,
  request: message('connectrpc.conformance.v1.UnaryRequest', Kind.bytes, Kind.bytes),
  response: message('connectrpc.conformance.v1.UnaryResponse', Kind.bytes),
});

const internal = await generateInternalCa({ commonName: 'test', validityMs: 30 * DAY_MS, nowMs });
const issue = (name: string, usage: 'serverAuth' | 'clientAuth') =>
  generateServiceCertificate({
    ca: internal,
    commonName: name,
    dnsNames: [name],
    usages: [usage],
    validityMs: DAY_MS,
    nowMs,
  });
const frontend = await issue('engine.test', 'serverAuth');
const gatewayLeaf = await issue('gateway.test', 'clientAuth');
const ca = await generateCa({ organization: 'acme', validityMs: 30 * DAY_MS, nowMs });
const leaf = await generateLeaf({
  caPem: ca.certificatePem,
  caKeyPem: ca.privateKeyPem,
  organization: 'acme',
  nowMs,
});
const record = namespaceRecord({
  id: 'orders.acme1',
  uuid: '00000000-0000-4000-8000-00000000000a',
  engineId: '00000000-0000-4000-8000-00000000000e',
  caBundlePem: ca.certificatePem,
  limits: { callsPerSecond: 1_000_000 },
});

/** Both sides of a relay close together. */
function join(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one);
  one.on('error', () => other.destroy()).on('close', () => other.destroy());
  other.on('error', () => one.destroy()).on('close', () => one.destroy());
}

/** The suite's service speaks no TLS, and the gateway nothing else to an engine. */
async function startEngine(): Promise<number> {
  const child = spawn(process.argv[2] ?? '', [], { stdio: ['pipe', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill());
  // ServerCompatRequest: gRPC, over HTTP/2, with messages as large as the engine takes.
  const ask = new BinaryWriter().tag(1, WireType.Varint).int32(2).tag(2, WireType.Varint).int32(2);
  ask.tag(6, WireType.Varint).uint32(REQUEST_BYTES_MAX);
  // It ends with its input.
  child.stdin.write(sizedMessage(ask.finish()));
  const { value } = await readMessages(child.stdout).next();
  const port = fieldsOf(value ?? new Uint8Array(0)).number(2);
  const front = createTlsServer({
    cert: frontend.certificatePem,
    key: frontend.privateKeyPem,
    ca: internal.certificatePem,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
  });
  front.on('secureConnection', (socket) => join(socket, connect({ host: '127.0.0.1', port, noDelay: true })));
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  return (front.address() as AddressInfo).port;
}

const requestUnary: ClientConnection['request'] = function (this: ClientConnection, fields, frame, reader) {
  const renamed = fields.map((text) => (text === STAND_IN ? UNARY : text));
  return ClientConnection.prototype.request.call(this, renamed, frame, reader);
};

class ConformancePool extends EnginePool {
  override ready(): ClientConnection | undefined {
    const connection = super.ready();
    if (connection !== undefined) connection.request = requestUnary;
    return connection;
  }
}

const log = createLog({ level: 'error', write: (line) => process.stderr.write(`${line}\n`) });
const enginePort = await startEngine();
const pool = new ConformancePool({
  log,
  target: () => ({
    host: '127.0.0.1',
    port: enginePort,
    serverName: 'engine.test',
    tls: { ca: internal.certificatePem, cert: gatewayLeaf.certificatePem, key: gatewayLeaf.privateKeyPem },
  }),
});
await pool.acquire();
const limits = new Limits(systemClock, { ...defaultLimits });
const keyring = createTokenKeyring([{ id: 1, createdAtMs: 0, key: new Secret(Buffer.alloc(32, 7)) }]);
const deps: GrpcDoorDeps = {
  snapshot: () => ({ revision: 1, confirmedAtMs: nowMs, namespaces: new Map([[record.id, record]]) }),
  identifier: new Identifier({ domain: 'gatehouse.test', region: 'aws-local', now: Date.now }),
  access: { nexusEnabled: false },
  transform: { tokenKeys: () => keyring, nexusEnabled: false },
  sealing: noSealing,
  relay: {
    pool,
    deadlines: new Deadlines(() => systemClock.monotonicMs()),
    mintToken: () => 'Bearer of nothing',
    engineAuthority: 'engine.test',
  },
  recorder: new Recorder(
    memoryAudit(() => undefined),
    systemClock,
  ),
  log,
  streamServices: new Map(),
};

let connections = 0;
const server = createServer({ noDelay: true }, (socket) => {
  const load = limits.connect(record);
  if (load === undefined) throw new Error('a limit that this is not about');
  socket.once('close', () => load.close());
  connections += 1;
  const connection: Connection = {
    id: `connection-${connections}`,
    peer: '127.0.0.1',
    namespaceId: record.id,
    certificates: [new X509Certificate(leaf.certificatePem).raw],
    tls12: false,
    openedAtMs: systemClock.monotonicMs(),
    admitted: true,
  };
  // The suite's clients know no server name, without which our TLS admits nobody.
  serveHttp2(socket as TLSSocket, {
    streamsMax: limits.streamsMax,
    now: () => deps.recorder.now(),
    onFault: () => undefined,
    onStream: (stream) => {
      const fields = stream.fields.map((text) => (text === UNARY ? STAND_IN : text));
      serveGrpcStream(deps, connection, load, Object.assign(stream, { fields }));
    },
    onBug: (error) => log.error('a connection could not be served', { error }),
  });
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
await readMessages(process.stdin).next();
const started = new BinaryWriter().tag(1, WireType.LengthDelimited).string('127.0.0.1');
started.tag(2, WireType.Varint).uint32((server.address() as AddressInfo).port);
process.stdout.write(sizedMessage(started.finish()));
process.on('SIGTERM', () => process.exit(0));
