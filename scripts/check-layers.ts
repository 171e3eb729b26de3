// Fails on an import that `layers.mjs` does not allow, and on a folder that it does not know.
import { globSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { layers, restricted, storeys } from '../layers.mjs';
import { type LayerTable, layerRules } from './layer-rules.ts';

export interface LayerCheck {
  /** Absolute: the root of the repository. */
  readonly root: string;
  /** The package's sources, from the root. */
  readonly sources: string;
  /** More folders that are read, from the root: no circles, no import that leads nowhere. */
  readonly others: readonly string[];
  readonly table: LayerTable;
}

/** @returns one line per fault; none where all is well. */
export async function checkLayers(check: LayerCheck): Promise<readonly string[]> {
  const places = [check.sources, ...check.others];
  const { output } = await cruise(
    places,
    {
      baseDir: check.root,
      validate: true,
      ruleSet: layerRules(check.table, check.sources),
      // An import of types alone is an import all the same.
      tsPreCompilationDeps: true,
      doNotFollow: { path: 'node_modules' },
      exclude: { path: FOREIGN },
      enhancedResolveOptions: {
        conditionNames: ['source', 'import', 'default'],
        exportsFields: ['exports'],
        extensions: ['.ts', '.mjs', '.js', '.json'],
      },
    },
    { bustTheCache: true },
  );
  if (typeof output === 'string') throw new Error('dependency-cruiser gave a report instead of its result');
  const files = places.flatMap((place) =>
    globSync(`${place}/**/*.ts`, { cwd: check.root, exclude: isForeign }),
  );
  return [...tableFaults(check), ...unseen(files, output), ...violations(output)];
}

/** Programs of other packages, which only live in the same repository. */
const FOREIGN = '(^|/)(test/workers|dist)(/|$)';
const isForeign = (path: string): boolean =>
  /(^|\/)node_modules$/.test(path) || new RegExp(FOREIGN).test(path);

/** A checker that reads nothing finds nothing (version 17 passed that way): every file must have been seen. */
function unseen(files: readonly string[], { modules }: ICruiseResult): string[] {
  const seen = new Set(modules.map(({ source }) => source));
  const missed = files.filter((file) => !seen.has(file)).map((file) => `${file}: was not read`);
  return files.length === 0 ? ['no source file was found'] : missed;
}

/** The table agrees with itself and holds every folder on disk; a line may precede its folder. */
function tableFaults({ root, sources, table }: LayerCheck): string[] {
  const listed = Object.entries(table.storeys).flatMap(([storey, names]) =>
    names.map((name) => `${storey}/${name}`),
  );
  const lines = Object.keys(table.layers);
  const inside = (folder: string): string[] => readdirSync(join(root, sources, folder));
  const present = inside('').flatMap((name) =>
    name in table.storeys ? inside(name).map((it) => `${name}/${it}`) : [name],
  );
  return [
    ...listed.filter((it) => !lines.includes(it)).map((it) => `layers.mjs: ${it} has a storey and no line`),
    ...lines
      .filter((it) => it.includes('/') && !listed.includes(it))
      .map((it) => `layers.mjs: ${it} has a line and no storey`),
    ...present
      .filter((it) => !lines.includes(it))
      .map((it) => `${sources}/${it}: in no folder that layers.mjs knows`),
  ];
}

function violations({ summary }: ICruiseResult): string[] {
  const comments = new Map(summary.ruleSetUsed?.forbidden?.map(({ name, comment }) => [name, comment]));
  return summary.violations.map(({ from, to, rule, cycle }) => {
    const way = cycle === undefined ? to : cycle.map(({ name }) => name).join(' → ');
    return `${from} → ${way}\n    ${rule.name}: ${comments.get(rule.name) ?? ''}`;
  });
}

if (import.meta.main) {
  const faults = await checkLayers({
    root: join(import.meta.dirname, '..'),
    sources: 'packages/gatehouse/src',
    others: ['packages/codec/src', 'scripts', 'bench', 'test'],
    table: { storeys, layers, restricted },
  });
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
