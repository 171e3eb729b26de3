// Feeds a target with inputs, one after the other, without any driver:
//   node --conditions=source test/fuzz/repeat.ts TARGET FILE...
import { readFileSync } from 'node:fs';
import { loadTarget, targetFiles } from './driver/fuzz-target.ts';

const [name, ...files] = process.argv.slice(2);
const found = targetFiles().find((target) => target.name === name);
if (found === undefined) throw new Error(`targets: ${targetFiles().map((target) => target.name)}`);
const { fuzz, close } = await loadTarget(found.file);
for (const file of files) {
  process.stdout.write(`${file}\n`);
  await fuzz(readFileSync(file));
}
close?.();
