import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Load } from './load-process.ts';
import { cpuUsOf } from './measure.ts';
import { measureLoads } from './measure-calls.ts';
import type { BenchOptions } from './options.ts';
import type { Readings } from './readings.ts';
import type { Subject } from './subject.ts';

const PAYLOAD_BYTES = 1024;
const SPEED_FILE = fileURLToPath(new URL('sealing-speed.ts', import.meta.url));
const SIZES = { '100 KiB': 102_400, '1 MiB': 1_048_576 } as const;

/** CPU per call that carries a payload of 1 KiB, for subjects that seal it and one that does not. */
export async function measureSealedCalls(
  subjects: readonly Subject[],
  load: Load,
  options: BenchOptions,
  readings: Readings,
): Promise<void> {
  const loaded = subjects.map((subject) => ({
    ...subject,
    target: { ...subject.target, payloadBytes: PAYLOAD_BYTES },
  }));
  for (const { target } of loaded) {
    await load.open(target, 4);
    await load.run(target, 32, options.warmUpCalls);
  }
  await measureLoads(loaded, load, options, async ({ target, pid }, concurrency, calls) => {
    if (pid === undefined) return;
    const { cpuUs } = await cpuUsOf(pid, () => load.run(target, concurrency, calls));
    const figure = `CPU per call with a payload of 1 KiB, concurrency ${concurrency}`;
    readings.add(figure, 'µs', target.name, cpuUs / calls);
  });
  for (const { target } of loaded) await load.close(target);
}

/** Bytes per second of CPU of one thread that scans, seals and splices whole messages, against the bare cipher. */
export function measureSealingSpeed(options: BenchOptions, readings: Readings, skipped: string[]): void {
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [name, bytes] of Object.entries(SIZES)) {
      const figure = `sealing speed, ${name}`;
      const cipher = opensslSpeed(bytes);
      if (cipher === undefined) {
        skipped.push('openssl is not on PATH: no sealing speed');
        return;
      }
      readings.add(figure, 'MB/s', 'openssl speed', cipher);
      readings.add(figure, 'MB/s', 'gateway', sealingSpeed(bytes));
    }
  }
}

function opensslSpeed(bytes: number): number | undefined {
  const args = ['speed', '-seconds', '1', '-bytes', String(bytes), '-evp', 'aes-256-gcm'];
  const { stdout, status } = spawnSync('openssl', args, { encoding: 'utf8' });
  const kilobytes = /([\d.]+)k\s*$/.exec(stdout ?? '')?.[1];
  return status === 0 && kilobytes !== undefined ? Number(kilobytes) / 1000 : undefined;
}

function sealingSpeed(bytes: number): number {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--max-semi-space-size=64', '--conditions=source', SPEED_FILE, String(bytes)],
    { encoding: 'utf8' },
  );
  const speed = Number(stdout);
  if (!(speed > 0)) throw new Error(`the sealing speed could not be measured: ${stderr}`);
  return speed;
}
