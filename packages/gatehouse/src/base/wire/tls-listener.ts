import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, createServer, type SecureContext, type Server, TLSSocket } from 'node:tls';
import {
  type AcceptConnection,
  type Incoming,
  openTcpDoor,
  type TcpDoor,
  type TcpDoorOptions,
} from './tcp-door.ts';

/** PEM of what a listener shows. */
export interface ServerIdentity {
  readonly certificate: string;
  readonly privateKey: string;
}

/** A connection that ended before it was anybody's. */
export interface RefusedHandshake {
  readonly reason:
    | 'sni_unknown'
    | 'certificate_missing'
    | 'certificate_not_admitted'
    | 'certificate_expired'
    | 'alpn_missing'
    | 'handshake_timeout'
    | 'handshake_limit'
    | 'tls_handshake_failed';
  /** OpenSSL's or the runtime's own word for it. */
  readonly detail: string;
  readonly peer: string;
  readonly serverName: string;
}

export interface TlsListenerOptions {
  readonly host: string;
  readonly port: number;
  /** Who accepts the connections instead; `host`, `port` and `beginHandshake` are then left to him. */
  readonly incoming?: Incoming;
  readonly identity: ServerIdentity;
  readonly alpn: readonly string[];
  /** 1.2 only where the platform allows it; each namespace must allow it too. */
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /**
   * The CA certificates that a client of this server name must chain to, with an object that stands for
   * them: the context is built once per object. Undefined refuses the name.
   */
  readonly trustOf: (serverName: string) => { readonly caPem: string; readonly of: object } | undefined;
  /** Trusted where a client names no server: its clients are closed after the handshake anyway. */
  readonly decoyCaPem: string;
  readonly onSocket: (socket: TLSSocket, serverName: string) => void;
  readonly onRefused: (refusal: RefusedHandshake) => void;
  /** As for a {@link TcpDoor}. */
  readonly beginHandshake?: TcpDoorOptions['beginHandshake'];
  readonly handshakeTimeoutMs?: number;
}

export interface TlsListener {
  readonly address: { readonly host: string; readonly port: number };
  /** Shows another certificate from now on; connections that are open go on. @throws on a bad pair. */
  setIdentity(identity: ServerIdentity): void;
  /** Takes no more connections; open ones go on. */
  stopAccepting(): void;
}

/** More than any chain that is admitted (base/pki), so that a longer one is refused and not cut to fit. */
const CHAIN_MAX = 16;
/** threats.md T-005. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
// For TLS 1.2, where a namespace allows it: forward secrecy and AEAD only (T-002).
const CIPHERS =
  'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:' +
  'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:' +
  'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305';

function contextOf(
  identity: ServerIdentity,
  caPem: string,
  minVersion: 'TLSv1.2' | 'TLSv1.3',
): SecureContext {
  return createSecureContext({
    cert: identity.certificate,
    key: identity.privateKey,
    ca: caPem,
    minVersion,
    ciphers: CIPHERS,
    // A resumed session would carry an old verdict on the client's certificate (decision 5). Without
    // tickets, and with no session store, every handshake is a full one.
    secureOptions:
      constants.SSL_OP_NO_TICKET |
      constants.SSL_OP_NO_RENEGOTIATION |
      constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
  });
}

/**
 * Listens for mutual TLS, with the client CAs chosen by server name. A client without a certificate gets
 * the alert `certificate_required`; one whose chain does not verify is closed without a byte of ours.
 */
export async function openTlsListener(options: TlsListenerOptions): Promise<TlsListener> {
  let identity = options.identity;
  let contexts = new WeakMap<object, SecureContext>();
  const contextFor = (serverName: string): SecureContext | undefined => {
    const trust = options.trustOf(serverName);
    if (trust === undefined) return undefined;
    let context = contexts.get(trust.of);
    if (context === undefined) {
      context = contextOf(identity, trust.caPem, options.minVersion);
      contexts.set(trust.of, context);
    }
    return context;
  };
  const server: Server = createServer({
    cert: identity.certificate,
    key: identity.privateKey,
    ca: options.decoyCaPem,
    minVersion: options.minVersion,
    ciphers: CIPHERS,
    ALPNProtocols: [...options.alpn],
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS,
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    SNICallback(this: unknown, serverName, done) {
      if (this instanceof TLSSocket) this.prependOnceListener('secure', keepCertificates);
      // A throw here would end the process (CVE-2026-21637): everything is caught and becomes a refusal.
      try {
        const context = contextFor(serverName);
        if (context === undefined) done(new Error('sni_unknown'));
        else done(null, context);
      } catch (error) {
        done(error instanceof Error ? error : new Error('sni_failed'));
      }
    },
  });
  server.on('secureConnection', (socket) => {
    endHandshake(tcpSocketOf(socket));
    const serverName = typeof socket.servername === 'string' ? socket.servername : '';
    const refuse = (reason: RefusedHandshake['reason'], detail: string): void => {
      options.onRefused({ reason, detail, peer: peerOf(socket), serverName });
      socket.destroy();
    };
    if (serverName === '') return refuse('sni_unknown', 'no server name');
    // HTTP/1.1 is what a client speaks that agrees on nothing; HTTP/2 is agreed on or not spoken (RFC 9113 section 3.2).
    if (socket.alpnProtocol === false && !options.alpn.includes('http/1.1')) {
      return refuse('alpn_missing', 'the client offered no protocol');
    }
    options.onSocket(socket, serverName);
  });
  server.on('tlsClientError', (error: Error & { code?: string }, socket: TLSSocket) => {
    const serverName = typeof socket.servername === 'string' ? socket.servername : '';
    options.onRefused({ ...reasonOf(error, socket), peer: peerOf(socket), serverName });
    // The runtime reports a handshake that takes too long, and leaves its socket open (T-005).
    if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') socket.destroy();
  });
  const door = await openDoor(options, (socket, handshakeOver) => {
    handshakes.set(socket, handshakeOver);
    socket.once('close', () => endHandshake(socket));
    server.emit('connection', socket);
  });
  return {
    address: door.address,
    setIdentity(next) {
      // Builds the new context first: a bad pair throws and the old one stays.
      contextOf(next, options.decoyCaPem, options.minVersion);
      server.setSecureContext({
        cert: next.certificate,
        key: next.privateKey,
        ca: options.decoyCaPem,
        minVersion: options.minVersion,
        ciphers: CIPHERS,
        secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
      });
      identity = next;
      contexts = new WeakMap();
    },
    stopAccepting() {
      door.close();
    },
  };
}

/** Connections come to a door of their own, or to somebody else's. */
async function openDoor(options: TlsListenerOptions, accept: AcceptConnection): Promise<TcpDoor> {
  const { incoming, host, port, beginHandshake } = options;
  if (incoming !== undefined) {
    incoming.receive(accept);
    return { address: incoming.address, close: () => undefined };
  }
  return await openTcpDoor({
    host,
    port,
    beginHandshake,
    accept,
    onRefused: (peer) => options.onRefused({ reason: 'handshake_limit', detail: '', peer, serverName: '' }),
  });
}

/** By the runtime's error code; everything else is `tls_handshake_failed`. */
const reasons: Readonly<Record<string, RefusedHandshake['reason']>> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'certificate_missing',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'alpn_missing',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'handshake_timeout',
};

function reasonOf(
  error: Error & { code?: string },
  socket: TLSSocket,
): Pick<RefusedHandshake, 'reason' | 'detail'> {
  if (error.message === 'sni_unknown') return { reason: 'sni_unknown', detail: '' };
  // For a certificate that does not verify the runtime reports no more than that the socket went away.
  const verdict = String(socket.authorizationError ?? '');
  if (verdict !== '') {
    const expired = verdict === 'CERT_HAS_EXPIRED';
    return { reason: expired ? 'certificate_expired' : 'certificate_not_admitted', detail: verdict };
  }
  const detail = error.code ?? '';
  return { reason: reasons[detail] ?? 'tls_handshake_failed', detail };
}

/** `address:port` of the other side; empty where it was never asked for and the socket has gone. */
export function peerOf(socket: TLSSocket): string {
  // The runtime has no public way from a TLS socket to the TCP socket below it, which alone remembers.
  const { remoteAddress, remotePort } = socket.remoteAddress === undefined ? tcpSocketOf(socket) : socket;
  return remoteAddress === undefined ? '' : `${remoteAddress}:${remotePort ?? 0}`;
}

/** The TCP connection below TLS. */
export function tcpSocketOf(socket: TLSSocket): Socket {
  const { _parent: parent } = socket as TLSSocket & { readonly _parent?: Socket };
  return parent ?? socket;
}

/** What is to be called when the handshake on a TCP connection is over, one way or the other. */
const handshakes = new WeakMap<Socket, () => void>();

function endHandshake(socket: Socket): void {
  handshakes.get(socket)?.();
  handshakes.delete(socket);
}

/** Certificates of connections that still live, as they were read when the handshake was done. */
const kept = new WeakMap<TLSSocket, Uint8Array[]>();

/**
 * Runs before the runtime's own work at the end of a handshake. Node 24.21 looks at the client's certificate
 * there, and what reads it once takes the intermediates away for good (nodejs/node issue 65579).
 */
function keepCertificates(this: TLSSocket): void {
  kept.set(this, readCertificates(this));
}

/** The certificates that the client presented, DER, leaf first. */
export function presentedCertificates(socket: TLSSocket): Uint8Array[] {
  return kept.get(socket) ?? readCertificates(socket);
}

function readCertificates(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  // Bounded: a chain is what the handshake carried, but a cycle must not hold us.
  for (let next = socket.getPeerX509Certificate(); next !== undefined && chain.length < CHAIN_MAX; ) {
    chain.push(next.raw);
    const issuer = next.issuerCertificate;
    if (issuer === undefined || issuer.fingerprint256 === next.fingerprint256) break;
    next = issuer;
  }
  return chain;
}
