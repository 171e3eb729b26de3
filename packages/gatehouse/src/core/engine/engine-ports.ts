import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { writeFileAtomic } from '#base/runtime/safe-file';
import { EngineError } from './engine-error.ts';

/** The services of one engine process, by the names of its configuration file. */
export const ENGINE_SERVICES = ['frontend', 'internal-frontend', 'history', 'matching', 'worker'] as const;
export type EngineService = (typeof ENGINE_SERVICES)[number];

/** Loopback ports of one engine. All are always chosen, so that switching Nexus on moves nothing. */
export interface EnginePorts {
  readonly grpc: Readonly<Record<EngineService, number>>;
  readonly membership: Readonly<Record<EngineService, number>>;
  readonly metrics: number;
  /** HTTP of internal-frontend; listened on only where Nexus is on. */
  readonly nexusHttp: number;
  /** The JWKS listener of this process, which the engine asks for keys. */
  readonly jwks: number;
}

const COUNT = 2 * ENGINE_SERVICES.length + 3;

// Below the ephemeral ranges of Linux (32768) and macOS (49152): no outgoing connection can take a port
// while the engine is down for a restart.
const LOWEST = 20_000;
const HIGHEST = 32_000;

/**
 * The ports of the last run where all of them are free, else new ones. Written to `file`, so that a restart
 * is at the same address.
 * @throws EngineError when the machine has no free ports in the range.
 */
export async function chooseEnginePorts(file: string): Promise<EnginePorts> {
  const kept = await readPorts(file);
  if (kept !== undefined && (await areFree(listPorts(kept)))) return kept;
  const ports = toPorts(await findFree());
  await writeFileAtomic(file, `${JSON.stringify(ports, null, 2)}\n`);
  return ports;
}

/** Every port, for checks that go through all of them. */
export function listPorts(ports: EnginePorts): readonly number[] {
  return [
    ...ENGINE_SERVICES.map((service) => ports.grpc[service]),
    ...ENGINE_SERVICES.map((service) => ports.membership[service]),
    ports.metrics,
    ports.nexusHttp,
    ports.jwks,
  ];
}

function toPorts(numbers: readonly number[]): EnginePorts {
  const take = (index: number): number => {
    const port = numbers[index];
    if (port === undefined) throw new EngineError(`${COUNT} ports are needed, ${numbers.length} were given`);
    return port;
  };
  const perService = (first: number): Record<EngineService, number> => ({
    frontend: take(first),
    'internal-frontend': take(first + 1),
    history: take(first + 2),
    matching: take(first + 3),
    worker: take(first + 4),
  });
  return Object.freeze({
    grpc: perService(0),
    membership: perService(5),
    metrics: take(10),
    nexusHttp: take(11),
    jwks: take(12),
  });
}

async function readPorts(file: string): Promise<EnginePorts | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const numbers = (text.match(/\d+/g) ?? []).map(Number);
  const sound = numbers.length === COUNT && numbers.every((port) => port >= 1024 && port <= 65_535);
  return sound && new Set(numbers).size === COUNT ? toPorts(numbers) : undefined;
}

async function findFree(): Promise<readonly number[]> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const first = randomInt(LOWEST, HIGHEST - COUNT);
    const numbers = Array.from({ length: COUNT }, (_, index) => first + index);
    if (await areFree(numbers)) return numbers;
  }
  throw new EngineError(`no ${COUNT} free ports in a row between ${LOWEST} and ${HIGHEST} on the loopback`);
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  const answers = await Promise.all(ports.map(isFree));
  return answers.every(Boolean);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
