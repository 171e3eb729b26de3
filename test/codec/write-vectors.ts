/** Writes the shared test vectors: what each SDK's program made of the same payloads with the same keys. */
import { writeFile } from 'node:fs/promises';
import { prepareCodecProgram } from '../parts/codec-programs.ts';
import { workerLanguages } from '../parts/sdk-workers.ts';
import { keyLines, vectorPayloads, vectorsFile } from './vectors.ts';

const encoded: Record<string, unknown> = {};
for (const language of workerLanguages) {
  const program = await prepareCodecProgram(language, {
    progress: (line) => process.stderr.write(`${line}\n`),
  });
  // First with the old key alone, then with both: each key has encrypted in each language.
  for (const keys of [keyLines.slice(0, 1), keyLines]) {
    const made = JSON.parse(await program.run('encode', keys, JSON.stringify({ payloads: vectorPayloads })));
    encoded[`${language}/${keys.at(-1)?.split(' ')[0]}`] = made.payloads;
  }
}
const keys = keyLines.map((line) => line.split(' ')).map(([id, key]) => ({ id, key }));
await writeFile(vectorsFile, `${JSON.stringify({ keys, payloads: vectorPayloads, encoded }, null, 2)}\n`);
