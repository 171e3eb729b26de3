// Writes the generated files. `--check` compares instead and fails on a difference.
import { readFileSync, writeFileSync } from 'node:fs';
import { generateWireTables } from './gen-wire-tables.ts';

const outputs: ReadonlyMap<string, () => string> = new Map([
  ['packages/gatehouse/src/base/proto/generated/wire-tables.ts', generateWireTables],
]);

const check = process.argv.includes('--check');
let stale = 0;
for (const [path, generate] of outputs) {
  const text = generate();
  if (!check) {
    writeFileSync(path, text);
    process.stdout.write(`wrote ${path}\n`);
  } else if (readFileSync(path, 'utf8') !== text) {
    stale += 1;
    process.stderr.write(`${path} is not what its generator makes: run \`npm run gen\`\n`);
  }
}
process.exitCode = stale === 0 ? 0 : 1;
