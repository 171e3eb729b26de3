import { readdir, readFile, readlink } from 'node:fs/promises';

/** A TCP socket on which a process accepts connections. */
export interface ListeningSocket {
  readonly address: string;
  readonly port: number;
}

/** State of a listening socket in /proc/net/tcp. */
const LISTEN = '0A';

/**
 * Everything that a process listens on, read from /proc: the proof that no port was forgotten.
 * @returns undefined where the system has no /proc.
 */
export async function listListeningSockets(pid: number): Promise<readonly ListeningSocket[] | undefined> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => undefined);
  if (descriptors === undefined) return undefined;
  const links = await Promise.all(
    descriptors.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')),
  );
  const inodes = new Set(links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
  const sockets: ListeningSocket[] = [];
  for (const table of ['tcp', 'tcp6']) {
    const text = await readFile(`/proc/${pid}/net/${table}`, 'utf8').catch(() => '');
    for (const line of text.split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] !== LISTEN || !inodes.has(fields[9])) continue;
      const [address, port] = (fields[1] ?? '').split(':');
      sockets.push({ address: readAddress(address ?? ''), port: Number.parseInt(port ?? '', 16) });
    }
  }
  return sockets;
}

/** The kernel writes an IPv4 address as one little-endian word; longer ones stay as they are. */
function readAddress(hex: string): string {
  if (hex.length !== 8) return `[${hex}]`;
  const bytes = hex.match(/../g) ?? [];
  return bytes
    .reverse()
    .map((byte) => Number.parseInt(byte, 16))
    .join('.');
}
