import type { IFlattenedRuleSet } from 'dependency-cruiser';

/** The form of `layers.mjs`. */
export interface LayerTable {
  /** Storey -> its folders. */
  readonly storeys: Readonly<Record<string, readonly string[]>>;
  /** Folder -> folders that it may import besides itself; `base/*` is every folder of a storey. */
  readonly layers: Readonly<Record<string, readonly string[]>>;
  readonly restricted: readonly RestrictedModules[];
}

export interface RestrictedModules {
  readonly modules: readonly string[];
  /** Folders or files. */
  readonly only: readonly string[];
  readonly why: string;
}

/** For tests alone: every folder may be seen from here, and nothing but tests sees it. */
const FIXTURES = 'testing';
/** The package that runs where the keys of customers are. */
const CODEC = 'packages/codec';
/** Tests, and what fuzzers call: neither is published. */
const TEST_FILE = '[.](test|fuzz)[.]ts$';

type ForbiddenRule = NonNullable<IFlattenedRuleSet['forbidden']>[number];

/**
 * Turns the table into rules of dependency-cruiser.
 * @param sources the folder of the sources, from the root of the repository, without a slash at its end.
 */
export function layerRules(table: LayerTable, sources: string): IFlattenedRuleSet {
  const folder = folderPattern(table, sources);
  const rules = [
    ...soundness(sources),
    ...Object.keys(table.layers).flatMap((name) => directionOf(table, sources, name)),
    ...crossings(folder, sources),
    ...table.restricted.map((row) => restriction(row, sources)),
  ];
  return { forbidden: rules.map((rule) => ({ severity: 'error', ...rule })) };
}

function soundness(sources: string): ForbiddenRule[] {
  return [
    {
      name: 'unresolved',
      comment: 'an import that leads nowhere is an import that no rule can judge',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'circle',
      comment: 'two files that need each other are one file, or a third one is missing; types count',
      from: {},
      to: { circular: true },
    },
    {
      name: 'out-of-the-package',
      comment: 'the package is published without the rest of the repository',
      from: { path: `^${sources}/` },
      to: {
        pathNot: [`^${sources}/`, `^${CODEC}/`, 'node_modules'],
        dependencyTypesNot: ['core'],
        couldNotResolve: false,
      },
    },
    {
      name: 'customer-keys',
      comment: 'the platform never holds the keys of a codec: only the command that runs at the customer may',
      from: { path: `^${sources}/`, pathNot: `^${sources}/cli/` },
      to: { path: `^${CODEC}/` },
    },
    {
      name: 'codec-alone',
      comment: 'what runs in Workers never sees the code of the platform',
      from: { path: `^${CODEC}/` },
      to: { path: `^${sources}/` },
    },
  ];
}

/** Tests see what their folder sees, and what their folder could be given from below, and the fixtures. */
function directionOf(table: LayerTable, sources: string, name: string): ForbiddenRule[] {
  const own = literal(name);
  const inFolder = `^${sources}/${own}/`;
  const allowed = [own, ...(table.layers[name] ?? []).map(entryPattern)];
  const below = [...allowed, ...storeysBelow(table, name), FIXTURES];
  const to = (seen: readonly string[]) => ({
    path: `^${sources}/`,
    pathNot: `^${sources}/(${seen.join('|')})/`,
  });
  const comment = `layers.mjs: ${name} may import ${table.layers[name]?.join(', ') || 'nothing'}`;
  return [
    { name: `layer ${name}`, comment, from: { path: inFolder, pathNot: TEST_FILE }, to: to(allowed) },
    { name: `layer ${name} (tests)`, comment, from: { path: `${inFolder}.*${TEST_FILE}` }, to: to(below) },
  ];
}

/** The folders of the storeys under the one of this folder. */
function storeysBelow(table: LayerTable, name: string): string[] {
  const order = Object.keys(table.storeys);
  const own = order.findIndex((storey) => name.startsWith(`${storey}/`));
  return order.slice(0, own === -1 ? order.length : own).map((storey) => `${storey}/[^/]+`);
}

/** A crossing is visible in the text: `#storey/folder/file`. Inside a folder paths are relative. */
function crossings(folder: string, sources: string): ForbiddenRule[] {
  return [
    {
      name: 'crossing-by-relative-path',
      comment: 'write #storey/folder/file where an import leaves its folder',
      from: { path: folder },
      to: {
        path: `^${sources}/`,
        pathNot: `^${sources}/$1/`,
        dependencyTypesNot: ['aliased-subpath-import'],
      },
    },
    {
      name: 'own-folder-by-alias',
      comment: 'write ./file.ts where an import stays in its folder',
      from: { path: folder },
      to: { path: `^${sources}/$1/`, dependencyTypes: ['aliased-subpath-import'] },
    },
  ];
}

function restriction({ modules, only, why }: RestrictedModules, sources: string): ForbiddenRule {
  const names = modules.map((name) => literal(name.replace(/^node:/, '')));
  return {
    name: `restricted ${modules.join(', ')}`,
    comment: `only ${only.join(', ')}: ${why}`,
    from: {
      path: `^${sources}/`,
      pathNot: [
        ...only.map((place) => `^${sources}/${literal(place)}${place.endsWith('.ts') ? '$' : '/'}`),
        `^${sources}/${FIXTURES}/`,
        TEST_FILE,
      ],
    },
    to: { path: [`^(node:)?(${names.join('|')})$`, `node_modules/(${names.join('|')})/`] },
  };
}

/** Matches a file of the package; its first group is the file's folder in the table. */
function folderPattern(table: LayerTable, sources: string): string {
  return `^${sources}/(${Object.keys(table.layers).map(literal).join('|')})/`;
}

function entryPattern(entry: string): string {
  return entry.endsWith('/*') ? `${literal(entry.slice(0, -2))}/[^/]+` : literal(entry);
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
