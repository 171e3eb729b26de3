import { constants } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createSecureContext, createServer, type SecureContext, type Server, type TLSSocket } from 'node:tls';

/** PEM of what a listener shows. */
export interface ServerIdentity {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface TlsListenerOptions {
  readonly host: string;
  readonly port: number;
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
  readonly onRefused: (reason: string, peer: string, serverName: string) => void;
  readonly handshakeTimeoutMs?: number;
}

export interface TlsListener {
  readonly address: { readonly host: string; readonly port: number };
  /** Shows another certificate from now on; connections that are open go on. @throws on a bad pair. */
  setIdentity(identity: ServerIdentity): void;
  /** Takes no more connections; open ones go on. */
  stopAccepting(): void;
}

/** threats.md T-005. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
// For TLS 1.2, where a namespace allows it: forward secrecy and AEAD only (T-002).
const CIPHERS =
  'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:' +
  'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:' +
  'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305';

function contextOf(identity: ServerIdentity, caPem: string, minVersion: 'TLSv1.2' | 'TLSv1.3'): SecureContext {
  return createSecureContext({
    cert: identity.certificate,
    key: identity.privateKey,
    ca: caPem,
    minVersion,
    ciphers: CIPHERS,
    // A resumed session would carry an old verdict on the client's certificate (decision 5). Without
    // tickets, and with no session store, every handshake is a full one.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
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
    noDelay: true,
    SNICallback: (serverName, done) => {
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
    const serverName = typeof socket.servername === 'string' ? socket.servername : '';
    if (serverName === '') {
      options.onRefused('sni_unknown', peerOf(socket), '');
      socket.destroy();
      return;
    }
    options.onSocket(socket, serverName);
  });
  server.on('tlsClientError', (error: Error & { code?: string }, socket: TLSSocket) => {
    const serverName = typeof socket.servername === 'string' ? socket.servername : '';
    const reason = error.message === 'sni_unknown' ? 'sni_unknown' : (error.code ?? 'tls_handshake_failed');
    options.onRefused(reason, peerOf(socket), serverName);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.host, port: options.port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    address: { host: address, port },
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
      server.close();
    },
  };
}

/** `address:port` of the other side; empty once it has gone. */
export function peerOf(socket: TLSSocket): string {
  return socket.remoteAddress === undefined ? '' : `${socket.remoteAddress}:${socket.remotePort ?? 0}`;
}

/** The certificates that the client presented, DER, leaf first. */
export function presentedCertificates(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  // Bounded: a chain is what the handshake carried, but a cycle must not hold us.
  for (let next = socket.getPeerX509Certificate(); next !== undefined && chain.length < 16; ) {
    chain.push(next.raw);
    const issuer = next.issuerCertificate;
    if (issuer === undefined || issuer.fingerprint256 === next.fingerprint256) break;
    next = issuer;
  }
  return chain;
}
