import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type CapturedConnection, readPcap } from './read-pcap.ts';

/** A recording of everything that passes some TCP ports of the loopback. */
export interface Capture {
  /** Ends it. @returns every connection whose beginning was seen. @throws where a packet is missing. */
  stop(): Promise<readonly CapturedConnection[]>;
}

/** Said on a connection of the capture's own: when it is in the file, so is everything of before. */
const LAST_WORDS = 'everything before these words has been written';
const LIMIT_MS = 10_000;
/** KiB in which the kernel keeps what tcpdump has not read yet. */
const BUFFER_KIB = 16_384;

/**
 * Records with tcpdump, which needs the right to listen on the loopback: root, in CI. Returns when it listens.
 * @throws Error where it cannot: the machine lacks tcpdump (Debian: apt-get install tcpdump), or the right.
 */
export async function startCapture(ports: readonly number[]): Promise<Capture> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-capture-'));
  const file = join(folder, 'loopback.pcap');
  const marker = createServer((socket) => socket.resume().on('error', () => undefined));
  await once(marker.listen(0, '127.0.0.1'), 'listening');
  const markerPort = (marker.address() as AddressInfo).port;
  const tcpdump = runTcpdump(file, [...ports, markerPort]);
  const close = async (): Promise<void> => {
    await tcpdump.end();
    marker.close();
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
        const socket = connect(markerPort, '127.0.0.1', () => socket.end(LAST_WORDS));
        socket.on('error', () => undefined);
        await tcpdump.until('wrote its last packet', async () => (await readFile(file)).includes(LAST_WORDS));
        await tcpdump.end();
        if (!/^0 packets dropped by kernel/m.test(tcpdump.messages()))
          throw new Error(`packets are missing: ${tcpdump.messages()}`);
        return readPcap(await readFile(file)).filter(({ serverPort }) => serverPort !== markerPort);
      } finally {
        await close();
      }
    },
  };
}

function runTcpdump(file: string, ports: readonly number[]) {
  const filter = `tcp and (${ports.map((port) => `port ${port}`).join(' or ')})`;
  // It would give up root otherwise, and with it the folder.
  const user = process.getuid?.() === 0 ? ['-Z', 'root'] : [];
  const options = ['-i', 'lo', '-n', '-s', '0', '-B', String(BUFFER_KIB), '-U', '--immediate-mode'];
  const child: ChildProcess = spawn('tcpdump', [...options, ...user, '-w', file, filter], {
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
