import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const LINES_MAX = 15;
/** They speak to users, and are as long as that takes. */
const forUsers = ['README.md', 'packages/codec/README.md'];
const notOurs = ['**/node_modules/**', '**/dist/**', 'test/workers/*/{target,build}/**'];
/** No file's names, but how files are named. */
const patterns = ['x.ts', 'x.fuzz.ts'];

/** A path in code quotes that ends as a folder, or as the files that are read here; `*` stands for anything. */
const quoted = /`((?:[\w.@*-]+\/)*(?:[\w.@*-]+\/|[\w.@*-]+\.(?:ts|mjs|cjs|md)))`/g;
/** The path of a link within the repository. */
const linked = /\]\(([^):#]+)(?:#[^)]*)?\)/g;

/**
 * What is wrong with the READMEs of a repository: each file or folder that one names and that is not there, and each that
 * has more lines than a README of a folder may have. A name is looked for beside its README, from the root, and, as
 * sources import each other, from the package's `src`.
 */
export function readmeFaults(root: string): readonly string[] {
  return globSync('**/README.md', { cwd: root, exclude: notOurs })
    .sort()
    .flatMap((readme) => {
      const text = readFileSync(join(root, readme), 'utf8');
      return [...missingNames(root, readme, text), ...tooManyLines(readme, text)];
    });
}

function missingNames(root: string, readme: string, text: string): readonly string[] {
  const folder = dirname(readme);
  const names = (form: RegExp): readonly string[] => [...text.matchAll(form)].map(([, name = '']) => name);
  const [sources = ''] = /^packages\/[^/]+\/src/.exec(readme) ?? [];
  const places = [...new Set([folder, '', sources])];
  const isThere = (name: string): boolean =>
    patterns.includes(name) || places.some((from) => globSync(join(from, name), { cwd: root }).length > 0);
  return [
    ...names(quoted).filter((name) => !isThere(name)),
    ...names(linked).filter((name) => !existsSync(join(root, folder, name))),
  ].map((name) => `${readme}: ${name} is not there`);
}

function tooManyLines(readme: string, text: string): readonly string[] {
  const count = text.trimEnd().split('\n').length;
  if (count <= LINES_MAX || forUsers.includes(readme)) return [];
  return [`${readme}: ${count} lines, ${LINES_MAX} are the limit`];
}
