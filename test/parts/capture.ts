import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { programObstacle } from './program-obstacle.ts';
import { type CapturedConnection, readPcap } from './read-pcap.ts';

/** A recording of everything that passes some TCP ports of the loopback. */
export interface Capture {
  /** Ends it. @returns every connection whose beginning was seen. @throws where a packet is missing. */
  stop(): Promise<readonly CapturedConnection[]>;
  /** Ends it, for what did not come to `stop`. */
  close(): Promise<void>;
}

/** Debian's package of this name; not a part that is built, so not in `build-part.ts`. */
const TCPDUMP = 'tcpdump';
/** The discard service (RFC 863), which this machine does not run or does not mind. */
const DISCARD = 9;
const LIMIT_MS = 10_000;
/** Of each packet: more than a greeting. The kernel's buffer has places of this size, so it must not be large. */
const PACKET_BYTES = 4096;
/** KiB in which the kernel keeps what tcpdump has not read yet. */
const BUFFER_KIB = 65_536;

/**
 * Records with tcpdump, which needs the right to listen on the loopback: root, in CI. Returns when it listens.
 * @throws Error where it cannot: the machine lacks tcpdump (Debian: apt-get install tcpdump), or the right.
 */
export async function startCapture(ports: readonly number[]): Promise<Capture> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-capture-'));
  const file = join(folder, 'loopback.pcap');
  const tcpdump = runTcpdump(file, ports);
  const close = async (): Promise<void> => {
    await tcpdump.end();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await tcpdump.until('listened', async () => tcpdump.messages().includes('listening on lo'));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async stop() {
      try {
        // Another capture may record it too, so it is of this one alone.
        const lastWords = `everything before ${randomUUID()} has been written`;
        await sayToNobody(lastWords);
        await tcpdump.until('wrote its last packet', async () => (await readFile(file)).includes(lastWords));
        await tcpdump.end();
        if (!/^0 packets dropped by kernel/m.test(tcpdump.messages()))
          throw new Error(`packets are missing: ${tcpdump.messages()}`);
        return readPcap(await readFile(file));
      } finally {
        await close();
      }
    },
    close,
  };
}

/** Why a machine cannot record its loopback; false where it can, and in CI, which must. */
export function captureObstacle(): string | false {
  if (process.env['CI'] === 'true') return false;
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root, to record the loopback';
  return programObstacle(TCPDUMP);
}

/** A datagram that every capture sees: when it is in the file, so is everything of before. */
async function sayToNobody(words: string): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.send(words, DISCARD, '127.0.0.1', resolve));
  socket.close();
}

function runTcpdump(file: string, ports: readonly number[]) {
  const filter = `(tcp and (${ports.map((port) => `port ${port}`).join(' or ')})) or (udp and port ${DISCARD})`;
  // It would give up root otherwise, and with it the folder.
  const user = process.getuid?.() === 0 ? ['-Z', 'root'] : [];
  const options = [
    '-i',
    'lo',
    '-n',
    '-s',
    String(PACKET_BYTES),
    '-B',
    String(BUFFER_KIB),
    '-U',
    '--immediate-mode',
  ];
  const child: ChildProcess = spawn(TCPDUMP, [...options, ...user, '-w', file, filter], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let messages = '';
  let isOver = false;
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    messages += text;
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', (error) => {
      messages += error.message;
      resolve();
    });
  }).then(() => {
    isOver = true;
  });
  return {
    messages: () => messages,
    async until(what: string, condition: () => Promise<boolean>): Promise<void> {
      for (const end = performance.now() + LIMIT_MS; !(await condition()); await wait(20)) {
        if (isOver || performance.now() > end) throw new Error(`tcpdump never ${what}: ${messages}`);
      }
    },
    async end(): Promise<void> {
      child.kill('SIGINT');
      await ended;
    },
  };
}
