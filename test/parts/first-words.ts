import type { CapturedConnection } from './read-pcap.ts';

/** How a connection begins. */
export type FirstWords =
  /** Nobody listened, or nobody said anything. */
  | { readonly kind: 'silent' }
  /** A ClientHello that was never answered: one side went away. */
  | { readonly kind: 'unanswered' }
  | Handshake
  /** Anything else, in clear. */
  | { readonly kind: 'clear'; readonly began: string };

export interface Handshake {
  readonly kind: 'tls';
  /** As negotiated: `1.3`, `1.2`, or the number in hex. */
  readonly version: string;
  readonly cipher: string;
  /** Group of the key exchange; empty below TLS 1.3. */
  readonly group: string;
  /** The name that the client asked for (SNI), empty for none. */
  readonly serverName: string;
  /** `postgres` where the client first asked for TLS in the protocol's own words. */
  readonly preface: 'none' | 'postgres';
}

/** RFC 8446 B.4. */
const CIPHERS: Readonly<Record<number, string>> = {
  4865: 'TLS_AES_128_GCM_SHA256',
  4866: 'TLS_AES_256_GCM_SHA384',
  4867: 'TLS_CHACHA20_POLY1305_SHA256',
};
/** IANA, TLS Supported Groups. */
const GROUPS: Readonly<Record<number, string>> = {
  23: 'secp256r1',
  24: 'secp384r1',
  29: 'x25519',
  4588: 'X25519MLKEM768',
};
const VERSIONS: Readonly<Record<number, string>> = { 772: '1.3', 771: '1.2', 770: '1.1', 769: '1.0' };
const [SERVER_NAME, SUPPORTED_VERSIONS, KEY_SHARE] = [0, 43, 51];
const [CLIENT_HELLO, SERVER_HELLO] = [1, 2];
const HANDSHAKE = 22;
/** Request code 80877103 (PostgreSQL manual, "Message Formats", SSLRequest), and the server's yes. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const SSL_YES = 'S'.charCodeAt(0);

/** Says how a connection begins: whether both sides spoke nothing but TLS, and what they agreed on. */
export function firstWordsOf({ fromClient, fromServer }: CapturedConnection): FirstWords {
  if (fromClient.length === 0 && fromServer.length === 0) return { kind: 'silent' };
  const isPostgres = fromClient.subarray(0, 8).equals(SSL_REQUEST);
  const asked = isPostgres ? fromClient.subarray(8) : fromClient;
  const answered = isPostgres ? fromServer.subarray(1) : fromServer;
  const clear = (said: Buffer): FirstWords => ({
    kind: 'clear',
    began: said.subarray(0, 60).toString('latin1'),
  });
  if (isPostgres && fromServer.length > 0 && fromServer[0] !== SSL_YES) return clear(fromServer);
  const clientHello = helloOf(asked, CLIENT_HELLO);
  if (clientHello === undefined) return clear(asked.length > 0 ? asked : answered);
  if (answered.length === 0) return { kind: 'unanswered' };
  const serverHello = helloOf(answered, SERVER_HELLO);
  if (serverHello === undefined) return clear(answered);
  for (const said of [asked, answered]) if (!isAllRecords(said)) return clear(said);
  const version = serverHello.extensions.get(SUPPORTED_VERSIONS)?.readUInt16BE(0) ?? serverHello.version;
  const group = serverHello.extensions.get(KEY_SHARE)?.readUInt16BE(0);
  return {
    kind: 'tls',
    version: VERSIONS[version] ?? version.toString(16),
    cipher: CIPHERS[serverHello.cipher] ?? `0x${serverHello.cipher.toString(16)}`,
    group: group === undefined ? '' : (GROUPS[group] ?? `0x${group.toString(16)}`),
    serverName: clientHello.extensions.get(SERVER_NAME)?.subarray(5).toString('latin1') ?? '',
    preface: isPostgres ? 'postgres' : 'none',
  };
}

interface Hello {
  readonly version: number;
  /** Of a ServerHello. */
  readonly cipher: number;
  readonly extensions: ReadonlyMap<number, Buffer>;
}

/** The first handshake message, where it is of this type; RFC 8446 sections 4.1.2 and 4.1.3. */
function helloOf(said: Buffer, type: number): Hello | undefined {
  try {
    const message = firstMessage(said);
    if (message === undefined || message[0] !== type) return undefined;
    const version = message.readUInt16BE(4);
    // Type, length, version and random stand before the session id.
    let at = 4 + 2 + 32;
    at += 1 + message.readUInt8(at);
    const cipher = message.readUInt16BE(at);
    if (type === CLIENT_HELLO) {
      at += 2 + message.readUInt16BE(at);
      at += 1 + message.readUInt8(at);
    } else at += 2 + 1;
    return { version, cipher, extensions: extensionsOf(message.subarray(at + 2)) };
  } catch (error) {
    // Too short for what it says it is.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function extensionsOf(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const extensions = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 2);
    extensions.set(bytes.readUInt16BE(at), bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return extensions;
}

/** A handshake message may be cut into several records. */
function firstMessage(said: Buffer): Buffer | undefined {
  let message = Buffer.alloc(0);
  for (const { type, body } of recordsOf(said)) {
    if (type !== HANDSHAKE) break;
    message = Buffer.concat([message, body]);
    const length = message.length < 4 ? undefined : 4 + message.readUIntBE(1, 3);
    if (length !== undefined && message.length >= length) return message.subarray(0, length);
  }
  return undefined;
}

function* recordsOf(said: Buffer): Generator<{ readonly type: number; readonly body: Buffer }> {
  for (let at = 0; at + 5 <= said.length; ) {
    const length = said.readUInt16BE(at + 3);
    yield { type: said.readUInt8(at), body: said.subarray(at + 5, at + 5 + length) };
    at += 5 + length;
  }
}

/** Nothing but records of TLS 1.0 to 1.3: change of cipher, alert, handshake, data. */
function isAllRecords(said: Buffer): boolean {
  for (let at = 0; at + 5 <= said.length; at += 5 + said.readUInt16BE(at + 3)) {
    const type = said.readUInt8(at);
    if (type < 20 || type > 23 || said.readUInt8(at + 1) !== 3) return false;
  }
  return true;
}
