// Writes the generated files. `--check` compares instead and fails on a difference.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { generateArchitecture } from './gen-architecture.ts';
import { generateConfigDocs, generateConfigSchema } from './gen-config-docs.ts';
import { generateRefusalDocs } from './gen-refusal-docs.ts';
import { generateWireTables } from './gen-wire-tables.ts';

const outputs: ReadonlyMap<string, () => string> = new Map([
  ['docs/architecture.md', generateArchitecture],
  ['packages/gatehouse/src/base/proto/generated/wire-tables.ts', generateWireTables],
  ['docs/config.schema.json', generateConfigSchema],
  ['docs/configuration.md', generateConfigDocs],
  ['docs/refusals.md', generateRefusalDocs],
]);

const check = process.argv.includes('--check');
let stale = 0;
for (const [path, generate] of outputs) {
  const text = generate();
  if (!check) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    process.stdout.write(`wrote ${path}\n`);
  } else if (!isCurrent(path, text)) {
    stale += 1;
    process.stderr.write(`${path} is not what its generator makes: run \`npm run gen\`\n`);
  }
}
process.exitCode = stale === 0 ? 0 : 1;

function isCurrent(path: string, text: string): boolean {
  try {
    return readFileSync(path, 'utf8') === text;
  } catch {
    // Not made yet, or not readable: either way not what it should be.
    return false;
  }
}
