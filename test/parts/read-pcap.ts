/** One TCP connection, as far as its beginning was recorded. */
export interface CapturedConnection {
  /** The port that was dialled. */
  readonly serverPort: number;
  readonly serverAddress: string;
  readonly clientPort: number;
  /** False where nobody listened: nothing was said then. */
  readonly accepted: boolean;
  /** What each side said first, without gaps, up to `FIRST_BYTES`. */
  readonly fromClient: Buffer;
  readonly fromServer: Buffer;
}

/** Enough for both hellos, also with post-quantum keys, and the record after them. */
const FIRST_BYTES = 16_384;

const SYN = 0x02;
const ACK = 0x10;
const ETHERNET = 1;

interface Segment {
  readonly source: string;
  readonly target: string;
  readonly targetAddress: string;
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly sequence: number;
  readonly flags: number;
  readonly data: Buffer;
}

interface Side {
  /** Sequence number of the first byte; undefined until its SYN was seen. */
  first: number | undefined;
  readonly pieces: Map<number, Buffer>;
}

interface Conversation {
  readonly opening: Segment;
  readonly client: Side;
  readonly server: Side;
}

/**
 * Reads a file of tcpdump (pcap, not pcapng) of the loopback. Connections that began before it are left out.
 * @throws Error on a file of another kind.
 */
export function readPcap(file: Buffer): readonly CapturedConnection[] {
  const open = new Map<string, Conversation>();
  const all: Conversation[] = [];
  for (const packet of packetsOf(file)) {
    const segment = segmentOf(packet);
    if (segment === undefined) continue;
    if ((segment.flags & (SYN | ACK)) === SYN) {
      const known = open.get(`${segment.source} ${segment.target}`);
      // The same opening once more is a repetition; another one is another connection.
      if (known?.opening.sequence === segment.sequence) continue;
      const client = { first: (segment.sequence + 1) >>> 0, pieces: new Map() };
      const begun = { opening: segment, client, server: { first: undefined, pieces: new Map() } };
      open.set(`${segment.source} ${segment.target}`, begun);
      all.push(begun);
      continue;
    }
    const fromClient = open.get(`${segment.source} ${segment.target}`);
    if (fromClient !== undefined) keep(fromClient.client, segment);
    const fromServer = open.get(`${segment.target} ${segment.source}`);
    if (fromServer === undefined) continue;
    if ((segment.flags & SYN) !== 0) fromServer.server.first = (segment.sequence + 1) >>> 0;
    else keep(fromServer.server, segment);
  }
  return all.map(({ opening, client, server }) => ({
    serverPort: opening.targetPort,
    serverAddress: opening.targetAddress,
    clientPort: opening.sourcePort,
    accepted: server.first !== undefined,
    fromClient: join(client),
    fromServer: join(server),
  }));
}

function keep({ first, pieces }: Side, { sequence, data }: Segment): void {
  if (first === undefined || data.length === 0) return;
  const offset = (sequence - first) >>> 0;
  if (offset >= FIRST_BYTES || (pieces.get(offset)?.length ?? 0) >= data.length) return;
  pieces.set(offset, data);
}

/** In their order, up to the first gap. */
function join({ pieces }: Side): Buffer {
  let joined = Buffer.alloc(0);
  for (const [offset, data] of [...pieces].sort(([one], [other]) => one - other)) {
    if (offset > joined.length) break;
    joined = Buffer.concat([joined.subarray(0, offset), data, joined.subarray(offset + data.length)]);
  }
  return joined.subarray(0, FIRST_BYTES);
}

/** https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html: a header of 24 bytes, then packets. */
function* packetsOf(file: Buffer): Generator<Buffer> {
  const magic = file.readUInt32LE(0);
  const isLittle = magic === 0xa1b2c3d4 || magic === 0xa1b23c4d;
  if (!isLittle && magic !== 0xd4c3b2a1 && magic !== 0x4d3cb2a1) throw new Error('this is not a pcap file');
  const word = (at: number): number => (isLittle ? file.readUInt32LE(at) : file.readUInt32BE(at));
  if ((word(20) & 0xffff) !== ETHERNET) throw new Error('this is not a recording of Ethernet frames');
  for (let at = 24; at + 16 <= file.length; ) {
    const length = word(at + 8);
    if (at + 16 + length > file.length) return;
    yield file.subarray(at + 16, at + 16 + length);
    at += 16 + length;
  }
}

/** The TCP segment in an Ethernet frame; undefined where it holds something else. */
function segmentOf(frame: Buffer): Segment | undefined {
  const type = frame.readUInt16BE(12);
  const packet = frame.subarray(14);
  if (type === 0x0800 && packet[9] === 6) {
    const header = ((packet[0] ?? 0) & 15) * 4;
    const address = (at: number): string => [...packet.subarray(at, at + 4)].join('.');
    // A length of 0 is a packet that the machine never cut for a wire.
    const length = packet.readUInt16BE(2) || packet.length;
    return tcpOf(packet.subarray(header, length), address(12), address(16));
  }
  if (type === 0x86dd && packet[6] === 6) {
    const address = (at: number): string => `[${packet.subarray(at, at + 16).toString('hex')}]`;
    return tcpOf(packet.subarray(40, 40 + packet.readUInt16BE(4)), address(8), address(24));
  }
  return undefined;
}

function tcpOf(tcp: Buffer, sourceAddress: string, targetAddress: string): Segment {
  const [sourcePort, targetPort] = [tcp.readUInt16BE(0), tcp.readUInt16BE(2)];
  return {
    source: `${sourceAddress}:${sourcePort}`,
    target: `${targetAddress}:${targetPort}`,
    targetAddress,
    sourcePort,
    targetPort,
    sequence: tcp.readUInt32BE(4),
    flags: tcp[13] ?? 0,
    data: tcp.subarray(((tcp[12] ?? 0) >> 4) * 4),
  };
}
