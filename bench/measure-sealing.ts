import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type BenchRun, withSubjects } from './bench-run.ts';
import { gatehouseStarter } from './gatehouse.ts';
import { measureCpu, type Pressure } from './measure-calls.ts';
import { rivalStarter } from './rival.ts';

export const SEALING = 'gateway, sealing';

const PAYLOAD_BYTES = 1024;
const SPEED_FILE = fileURLToPath(new URL('sealing-speed.ts', import.meta.url));
export const SIZES = { '100 KiB': 102_400, '1 MiB': 1_048_576 } as const;

/** CPU per call that carries a payload of 1 KiB, for subjects that seal it and one that does not. */
export async function measureSealedCalls(run: BenchRun, pressure: Pressure): Promise<void> {
  const { options, starters } = run;
  if (!starters.has('gateway')) return;
  const wanted = [gatehouseStarter(), gatehouseStarter({ name: SEALING, atRest: 'on' })];
  if (starters.has('rival') && options.rival !== undefined) wanted.push(rivalStarter(options.rival, 'on'));
  const figure = sealedFigure(pressure.concurrency);
  await withSubjects(run, wanted, 'each', (subjects) => {
    const loaded = subjects.map((subject) => ({
      ...subject,
      target: { ...subject.target, payloadBytes: PAYLOAD_BYTES },
    }));
    return measureCpu(run, loaded, pressure, figure);
  });
}

export function sealedFigure(concurrency: number): string {
  return `CPU per call with a payload of 1 KiB, concurrency ${concurrency}`;
}

/** Bytes per second of CPU of one thread that scans, seals and splices whole messages, against the bare cipher. */
export async function measureSealingSpeed({ options, readings, leaveOut }: BenchRun): Promise<void> {
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [name, bytes] of Object.entries(SIZES)) {
      const figure = speedFigure(name);
      const cipher = opensslSpeed(bytes);
      if (cipher === undefined) {
        leaveOut('openssl is not on PATH: no sealing speed');
        return;
      }
      readings.add(figure, 'MB/s', 'openssl speed', cipher);
      readings.add(figure, 'MB/s', 'gateway', sealingSpeed(bytes));
    }
  }
}

/** @param size a name of {@link SIZES}. */
export function speedFigure(size: string): string {
  return `sealing speed, ${size}`;
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
