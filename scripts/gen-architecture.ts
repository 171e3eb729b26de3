import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { layers, storeys } from '../layers.mjs';

const PAGE = 'docs/architecture.md';
const SOURCES = 'packages/gatehouse/src';
const BEGIN =
  '<!-- Made by `npm run gen` from layers.mjs and the folders: do not edit up to the end mark. -->';
const END = '<!-- End of what is made. -->';

/** docs/architecture.md with its picture and its table of folders made anew; the rest of the page is kept. */
export function generateArchitecture(): string {
  const [before, rest] = cut(readFileSync(PAGE, 'utf8'), BEGIN);
  const [, after] = cut(rest, END);
  return [before, BEGIN, '\n\n', picture(), '\n', table(), '\n', END, after].join('');
}

function cut(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  if (at < 0) throw new Error(`${PAGE} has lost its mark ${mark}`);
  return [text.slice(0, at), text.slice(at + mark.length)];
}

/** The building, highest storey first. A folder that the table plans and nobody has built yet is in brackets. */
function picture(): string {
  const rows = Object.entries(storeys).map(([storey, names]) => [
    storey,
    names.map((name) => (isBuilt(`${storey}/${name}`) ? name : `(${name})`)).join('  '),
  ]);
  const floors = [...rows, ['app', 'puts the planes together']].reverse();
  const width = Math.max(...floors.map(([, text = '']) => text.length)) + 2;
  const line = (left: string, right: string) => `            ${left}${'─'.repeat(width)}${right}`;
  const lines = floors.map(([storey = '', text = '']) => {
    const name = (storey === 'app' ? 'cli ──► app' : storey).padStart(11);
    return `${name} │ ${text.padEnd(width - 1)}│`;
  });
  return ['```', line('┌', '┐'), lines.join(`\n${line('├', '┤')}\n`), line('└', '┘'), '```', ''].join('\n');
}

function table(): string {
  const rows = Object.entries(layers)
    .filter(([folder]) => isBuilt(folder))
    .map(([folder, allowed]) => {
      const link = `[\`${folder}\`](../${SOURCES}/${folder}/README.md)`;
      return `| ${link} | ${purposeOf(folder)} | ${allowed.map((it) => `\`${it}\``).join(' ') || 'nothing'} |`;
    });
  return ['| Folder | What lives there | May import |', '| --- | --- | --- |', ...rows, ''].join('\n');
}

function isBuilt(folder: string): boolean {
  const path = join(SOURCES, folder);
  return (
    existsSync(path) && readdirSync(path, { recursive: true }).some((name) => String(name).endsWith('.ts'))
  );
}

/** What the folder's README says it is: the words after the colon of its title, or its first sentence. */
function purposeOf(folder: string): string {
  const file = join(SOURCES, folder, 'README.md');
  if (!existsSync(file)) throw new Error(`${folder} has no README.md`);
  const [title = '', body = ''] = readFileSync(file, 'utf8').split('\n\n');
  const [, words] = title.split(': ');
  const text = words ?? body.replaceAll('\n', ' ').split('. ')[0] ?? '';
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
