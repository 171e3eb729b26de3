import { connect } from 'node:net';

/** A ClientHello written by hand (RFC 8446 section 4.1.2): what a TLS library would not send. */
export interface Hello {
  /** Of the record and of the hello itself: 0x0300 is SSL 3, 0x0303 TLS 1.2 and, with `versions`, 1.3. */
  readonly version: number;
  /** supported_versions; absent before TLS 1.3. */
  readonly versions?: readonly number[];
  readonly ciphers: readonly number[];
  /** The bytes of the host name, whatever they are; absent: no server name. */
  readonly serverName?: Uint8Array;
  readonly alpn?: readonly string[];
}

/** Cipher suites by their numbers. */
export const Cipher = {
  ecdheRsaAes128Gcm: 0xc02f,
  ecdheEcdsaAes128Gcm: 0xc02b,
  tls13Aes128Gcm: 0x1301,
  rsaAes128Cbc: 0x002f,
  rsaAes128Gcm: 0x009c,
  rsaRc4: 0x0005,
  rsa3des: 0x000a,
  ecdheRsaAes128Cbc: 0xc013,
  ecdheEcdsaAes256CbcSha384: 0xc024,
  rsaExportRc4: 0x0003,
  ecdhAnonAes128Cbc: 0xc018,
  rsaNull: 0x0002,
} as const;

export function helloBytes(hello: Hello): Buffer {
  const extensions = [
    ...(hello.serverName === undefined
      ? []
      : [extension(0, vector16(concat(Buffer.of(0), vector16(hello.serverName))))]),
    ...(hello.versions === undefined ? [] : [extension(43, vector8(words(hello.versions)))]),
    // P-256, X25519; ECDSA and RSA-PSS with SHA-256, RSA PKCS#1 with SHA-256.
    extension(10, vector16(words([0x0017, 0x001d]))),
    extension(13, vector16(words([0x0403, 0x0804, 0x0401]))),
    extension(11, vector8(Buffer.of(0))),
    // No share yet: the server asks for one, if it wants to go on at all.
    extension(51, vector16(Buffer.alloc(0))),
    ...(hello.alpn === undefined
      ? []
      : [extension(16, vector16(concat(...hello.alpn.map((name) => vector8(Buffer.from(name))))))]),
  ];
  const body = concat(
    words([hello.version]),
    Buffer.alloc(32, 7),
    vector8(Buffer.alloc(0)),
    vector16(words(hello.ciphers)),
    vector8(Buffer.of(0)),
    vector16(concat(...extensions)),
  );
  const handshake = concat(
    Buffer.of(1),
    Buffer.of(body.length >> 16, (body.length >> 8) & 255, body.length & 255),
    body,
  );
  const records: Buffer[] = [];
  for (let at = 0; at < handshake.length; at += 16_384) {
    records.push(
      concat(
        Buffer.of(22),
        words([Math.min(hello.version, 0x0301)]),
        vector16(handshake.subarray(at, at + 16_384)),
      ),
    );
  }
  return concat(...records);
}

const concat = (...parts: readonly Uint8Array[]): Buffer => Buffer.concat(parts);

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2);
  return bytes;
}

const vector8 = (bytes: Uint8Array): Buffer => concat(Buffer.of(bytes.length), bytes);
const vector16 = (bytes: Uint8Array): Buffer => concat(words([bytes.length]), bytes);
const extension = (type: number, body: Uint8Array): Buffer => concat(words([type]), vector16(body));

export interface Reply {
  /** All that came before the gateway hung up, or `until` was met. */
  readonly bytes: Buffer;
  /** The description of a fatal alert (RFC 8446 section 6.2). */
  readonly alert: number | undefined;
  readonly closed: boolean;
  readonly local: string;
}

/** Alerts by their numbers. */
export const Alert = { handshakeFailure: 40, protocolVersion: 70, noApplicationProtocol: 120 } as const;

/** Sends bytes to a port and reads until the other side hangs up, or has said something that is no alert. */
export function sendBytes(port: number, bytes: Uint8Array): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', port });
    let local = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error('neither an answer nor an end in time'));
    }, 15_000);
    const finish = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      const all = Buffer.concat(chunks);
      // An alert record: type 21, version, length 2, level, description.
      resolve({ bytes: all, alert: all[0] === 21 && all.length >= 7 ? all[6] : undefined, closed, local });
    };
    socket.on('connect', () => {
      local = `${socket.localAddress}:${socket.localPort}`;
      socket.write(bytes);
    });
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (chunks[0]?.[0] === 22) finish(false);
    });
    socket.on('close', () => finish(true));
  });
}
