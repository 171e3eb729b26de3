import type { TLSSocket } from 'node:tls';
import type { TokenKeyring } from '#base/crypto/token-keyring';
import { Http2Code } from '#base/http2/error-codes';
import { serveHttp2 } from '#base/http2/serve-http2';
import type { PlatformLimits } from '#base/model/limits';
import { namespaceOfHost } from '#base/model/namespace-id';
import type { DirectorySnapshot } from '#base/model/namespace-record';
import type { Clock } from '#base/runtime/clock';
import { uuidV7 } from '#base/runtime/ids';
import type { Log } from '#base/runtime/log';
import type { Incoming } from '#base/wire/tcp-door';
import {
  openTlsListener,
  peerOf,
  presentedCertificates,
  type ServerIdentity,
  type TlsListener,
} from '#base/wire/tls-listener';
import type { AuditWriter } from '#core/audit/audit-writer';
import { EnginePool, type EngineTarget } from '#core/engine/engine-pool';
import type { ConnectionLoad } from '#core/limits/connection-load';
import { Limits } from '#core/limits/limits';
import type { NamespaceUse, UseReport } from '#core/limits/use-report';
import type { Sealing } from '#core/sealing/sealing';
import { Connections, type HeldConnection } from './connections.ts';
import { Deadlines } from './deadlines.ts';
import { type GrpcDoorDeps, serveGrpcStream } from './grpc-door.ts';
import { openHttpDoor } from './http-api/open-http-door.ts';
import type { Connection } from './identified-call.ts';
import { Identifier } from './identify.ts';
import { Recorder } from './record.ts';
import { logBug, recordFault } from './record-fault.ts';
import { streamServices } from './stream-services.ts';

export interface GatewayOptions {
  readonly grpc: { readonly host: string; readonly port: number };
  /** The HTTPS endpoint; absent where the platform has none. */
  readonly https?: { readonly host: string; readonly port: number };
  /** Where another process accepts the connections of these doors. */
  readonly incoming?: { readonly grpc: Incoming; readonly https: Incoming };
  readonly domain: string;
  readonly region: string;
  readonly identity: ServerIdentity;
  /** PEM of a CA that signs no client: trusted where a name is unknown. */
  readonly decoyCaPem: string;
  readonly allowTls12: boolean;
  readonly nexusEnabled: boolean;
  readonly directory: {
    snapshot(): DirectorySnapshot;
    /** `expired`: the snapshot is older than it may serve (F-04). */
    state(): 'current' | 'detached' | 'expired';
    tokenKeys(): TokenKeyring;
    onChange(listener: (snapshot: DirectorySnapshot, changedIds: readonly string[]) => void): () => void;
  };
  /** Absent: the defaults. */
  readonly limits?: PlatformLimits;
  readonly sealing: Sealing;
  readonly engine: {
    target(): EngineTarget;
    mintToken(namespaceId: string, role: 'read' | 'write'): string;
    healthy(): boolean;
  };
  readonly audit: AuditWriter;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Gateway {
  readonly grpc: { readonly host: string; readonly port: number };
  readonly https: { readonly host: string; readonly port: number } | undefined;
  setIdentity(identity: ServerIdentity): void;
  openConnections(): number;
  /** Takes other limits into force. @returns whether they differ from those that were. */
  setLimits(limits: PlatformLimits): boolean;
  /** What a namespace has under way; undefined where it never had a connection. */
  use(namespaceId: string): NamespaceUse | undefined;
  /** What other processes of this platform are to know of the limits' use: what changed since last asked. */
  reportUse(): readonly UseReport[];
  /** Takes into account what they use together. */
  followOthers(reports: readonly UseReport[]): void;
  /**
   * Takes nothing new and tells every client to go elsewhere (GOAWAY). Resolves when all running calls but
   * long polls are answered, or after `withinMs`.
   */
  quiesce(withinMs: number): Promise<void>;
  /**
   * The same, long polls too; what is then left is answered `draining`, and everything is closed (F-14). With
   * 0 everything is cut off at once.
   */
  drain(withinMs: number): Promise<void>;
}

/** How long the last answers of a drain may take to reach their callers. */
const FAREWELL_MS = 500;

/** Stands for "no such namespace" among the objects that contexts are kept by. */
const nobody = {};

/** Opens the doors of the data plane. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { directory, clock, domain, log } = options;
  const identifier = new Identifier({ domain, region: options.region, now: () => clock.now() });
  const recorder = new Recorder(options.audit, clock);
  const pool = new EnginePool({ target: options.engine.target, log });
  const deadlines = new Deadlines(() => clock.monotonicMs());
  const limits = new Limits(clock, options.limits);
  const connections = new Connections(identifier, () => directory.snapshot(), clock);
  const deps: GrpcDoorDeps = {
    snapshot: () => directory.snapshot(),
    identifier,
    access: { nexusEnabled: options.nexusEnabled },
    transform: { tokenKeys: () => directory.tokenKeys(), nexusEnabled: options.nexusEnabled },
    sealing: options.sealing,
    relay: {
      pool,
      deadlines,
      mintToken: options.engine.mintToken,
      engineAuthority: options.engine.target().serverName,
    },
    recorder,
    log,
    streamServices: streamServices({ healthy: options.engine.healthy, nexusEnabled: options.nexusEnabled }),
  };

  type Accept = (socket: TLSSocket, connection: Connection, load: ConnectionLoad) => HeldConnection;
  const onSocket = (socket: TLSSocket, serverName: string, accept: Accept): void => {
    const namespaceId = namespaceOfHost(serverName, domain) ?? '';
    const openedAtMs = clock.monotonicMs();
    const snapshot = directory.snapshot();
    const refuse = (reason: string, detail: string, connectionId: string = uuidV7(clock.now())): void => {
      recorder.connection({ connectionId, peer: peerOf(socket), namespaceId, reason, detail });
      socket.destroy();
    };
    if (directory.state() === 'expired') {
      return refuse('directory_unavailable', 'the snapshot is too old to serve');
    }
    const { connection, refused } = connectionOf(socket, namespaceId, openedAtMs, (candidate) =>
      identifier.admits(candidate, snapshot),
    );
    const record = snapshot.namespaces.get(namespaceId);
    if (refused !== undefined || record === undefined) {
      return refuse(refused?.code ?? 'namespace_unknown', refused?.detail ?? '', connection.id);
    }
    const load = limits.connect(record);
    if (load === undefined) return refuse('connection_limit', '', connection.id);
    socket.once('close', () => load.close());
    // The client may be gone already: then nobody tells.
    if (socket.closed) load.close();
    try {
      connections.add(connection, accept(socket, connection, load));
    } catch (error) {
      // No memory, or a bug of ours: it ends this connection, never the process.
      logBug(log, error, connection);
      refuse('internal', 'the connection could not be served', connection.id);
    }
    return undefined;
  };

  const listen = (
    door: 'grpc' | 'https',
    address: GatewayOptions['grpc'],
    alpn: readonly string[],
    accept: Accept,
  ): Promise<TlsListener> =>
    openTlsListener({
      ...address,
      ...(options.incoming === undefined ? {} : { incoming: options.incoming[door] }),
      identity: options.identity,
      alpn,
      minVersion: options.allowTls12 ? 'TLSv1.2' : 'TLSv1.3',
      decoyCaPem: options.decoyCaPem,
      trustOf: (serverName) => {
        const id = namespaceOfHost(serverName, domain);
        if (id === undefined) return undefined;
        const record = directory.snapshot().namespaces.get(id);
        // A name that does not exist goes through the same handshake, so that nobody can tell it apart.
        if (record === undefined || record.caBundlePem === '')
          return { caPem: options.decoyCaPem, of: nobody };
        return { caPem: record.caBundlePem, of: record };
      },
      onSocket: (socket, serverName) => onSocket(socket, serverName, accept),
      beginHandshake: (address) => {
        const source = limits.sources.begin(address, clock.monotonicMs());
        return source === undefined ? undefined : () => limits.sources.end(source);
      },
      onRefused: ({ reason, detail, peer, serverName }) => {
        recorder.connection({
          connectionId: uuidV7(clock.now()),
          peer,
          namespaceId: namespaceOfHost(serverName, domain) ?? '',
          reason,
          detail,
        });
      },
    });
  const listener = await listen('grpc', options.grpc, ['h2'], (socket, connection, load) =>
    acceptGrpc(socket, { connection, load, streamsMax: limits.streamsMax }, deps),
  );
  const http = options.https === undefined ? undefined : openHttpDoor(deps, () => limits.streamsMax);
  const httpListener =
    options.https === undefined || http === undefined
      ? undefined
      : await listen('https', options.https, ['h2', 'http/1.1'], http.accept);
  const stopWatching = directory.onChange((snapshot, changedIds) => {
    connections.sweep(new Set(changedIds));
    limits.prune(snapshot);
  });
  let listening = true;
  const stopListening = (): void => {
    if (!listening) return;
    listening = false;
    stopWatching();
    listener.stopAccepting();
    httpListener?.stopAccepting();
    connections.drainAll();
  };

  return {
    grpc: listener.address,
    https: httpListener?.address,
    setIdentity(identity) {
      listener.setIdentity(identity);
      httpListener?.setIdentity(identity);
    },
    openConnections: () => connections.size,
    setLimits: (next) => limits.set(next),
    use: (namespaceId) => limits.use(namespaceId),
    reportUse: () => limits.report(),
    followOthers: (reports) => limits.followOthers(reports),
    async quiesce(withinMs) {
      stopListening();
      const end = clock.monotonicMs() + withinMs;
      while ((connections.mayGetCalls() || deadlines.countRunning() > 0) && clock.monotonicMs() < end) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async drain(withinMs) {
      stopListening();
      await connections.whenGone(withinMs);
      deadlines.endAll();
      if (withinMs > 0) await connections.whenGone(FAREWELL_MS);
      connections.destroyAll();
      http?.close();
      deadlines.close();
      await pool.close();
    },
  };
}

function connectionOf(
  socket: TLSSocket,
  namespaceId: string,
  openedAtMs: number,
  admits: (connection: Connection) => ReturnType<Identifier['admits']>,
): { connection: Connection; refused: ReturnType<Identifier['admits']> } {
  const facts = {
    id: uuidV7(),
    peer: peerOf(socket),
    namespaceId,
    certificates: presentedCertificates(socket),
    tls12: socket.getProtocol() === 'TLSv1.2',
    openedAtMs,
  };
  const refusal = admits({ ...facts, admitted: true });
  // A filter that does not match lets the handshake stand and refuses each call, as Temporal Cloud does.
  const filtered = refusal?.code === 'certificate_filter_mismatch';
  return {
    connection: { ...facts, admitted: refusal === undefined },
    refused: filtered ? undefined : refusal,
  };
}

interface AcceptedGrpc {
  readonly connection: Connection;
  readonly load: ConnectionLoad;
  readonly streamsMax: number;
}

function acceptGrpc(
  socket: TLSSocket,
  { connection, load, streamsMax }: AcceptedGrpc,
  deps: GrpcDoorDeps,
): HeldConnection {
  return serveHttp2(socket, {
    streamsMax,
    now: () => deps.recorder.now(),
    onFault: (fault) => recordFault(deps.recorder, connection, fault),
    onStream: (stream) => {
      try {
        serveGrpcStream(deps, connection, load, stream);
      } catch (error) {
        // A bug of ours ends this call, never the process.
        deps.log.error('a call could not be served', { error, connectionId: connection.id });
        stream.reset(Http2Code.INTERNAL_ERROR);
      }
    },
    onBug: (error) => logBug(deps.log, error, connection),
  });
}
