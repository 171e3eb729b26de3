import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Which of these words stand in any file of a folder: as they are, or in base64 at any place of a group of three. */
export async function findWords(folder: string, words: readonly string[]): Promise<readonly string[]> {
  const sought = words.map((word) => ({ word, forms: [Buffer.from(word), ...base64Forms(word)] }));
  const found = new Set<string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = await readFile(join(entry.parentPath, entry.name));
    for (const { word, forms } of sought) {
      if (forms.some((form) => bytes.includes(form))) found.add(word);
    }
  }
  return words.filter((word) => found.has(word));
}

/** Without the characters that hold bits of the neighbours. */
function base64Forms(word: string): readonly Buffer[] {
  const bytes = Buffer.from(word);
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const first = Math.ceil((before * 8) / 6);
    const last = Math.floor(((before + bytes.length) * 8) / 6);
    return Buffer.from(text.slice(first, last));
  });
}
