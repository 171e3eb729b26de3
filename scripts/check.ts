// Format, lint, types, layers, unused code, generated files: everything that can be checked without running it.
import { spawnSync } from 'node:child_process';

const steps: readonly (readonly [string, readonly string[]])[] = [
  ['format and lint', ['biome', 'ci', '--error-on-warnings', '.']],
  ['types', ['tsc', '--noEmit']],
  ['layers', ['node', 'scripts/check-layers.ts']],
  // The build's settings tell knip that `dist`, where it exists, is made of `src`.
  ['unused code', ['knip', '--tsConfig', 'tsconfig.build.json']],
  ['generated files', ['node', '--conditions=source', 'scripts/gen.ts', '--check']],
];

const failed: string[] = [];
for (const [name, [command = '', ...args]] of steps) {
  const { status } = spawnSync(`node_modules/.bin/${command}`, args, { stdio: 'inherit' });
  process.stdout.write(`${status === 0 ? 'ok  ' : 'FAIL'} ${name}\n`);
  if (status !== 0) failed.push(name);
}
process.exitCode = failed.length === 0 ? 0 : 1;
