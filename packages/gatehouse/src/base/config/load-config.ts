import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { ConfigError, type ConfigFault } from './config-error.ts';
import { crossChecks } from './cross-checks.ts';
import { explainIssue } from './explain-issue.ts';
import { resolveValues } from './resolve-values.ts';
import { type Config, configSchema } from './schema.ts';

export interface ParseOptions {
  /** As the operator named it, for messages. */
  readonly file: string;
  /** Relative paths are taken from here. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** More than any real configuration; a device or a wrong file must not be swallowed. */
const BYTES_MAX = 4 * 1024 * 1024;

/**
 * Reads and checks a configuration file, with the key files that it names.
 * @throws ConfigError with every fault.
 */
export function loadConfig(file: string, environment: ParseOptions['environment']): Config {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new ConfigError(file, [{ key: '', problem: `cannot be read (${code})` }]);
  }
  return parseConfig(text, { file, folder: dirname(resolve(file)), environment });
}

/** @throws ConfigError with every fault. */
export function parseConfig(text: string, options: ParseOptions): Config {
  const lines = new LineCounter();
  if (text.length > BYTES_MAX)
    throw new ConfigError(options.file, [{ key: '', problem: 'is too large for a configuration' }]);
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, version: '1.2' });
  if (document.errors.length > 0) {
    throw new ConfigError(
      options.file,
      document.errors.map(({ code, linePos }) =>
        withLine({ key: '', problem: `is not YAML (${code})` }, linePos?.[0].line),
      ),
    );
  }
  const { value, faults } = resolveValues(plainOf(document, options.file), options);
  const parsed = configSchema.safeParse(value, { reportInput: true });
  const all: ConfigFault[] = [
    ...faults,
    ...(parsed.success ? [] : parsed.error.issues.flatMap(explainIssue)),
    ...crossChecks(value),
  ];
  if (all.length === 0 && parsed.success) return parsed.data;
  const lineOf = (key: string): number | undefined => {
    // A key that is missing has no line: that of what it is missing in.
    for (let path = key.split('.'); path.length > 0; path = path.slice(0, -1)) {
      const node = document.getIn(path, true) as { range?: [number, number, number] } | undefined;
      if (node?.range !== undefined) return lines.linePos(node.range[0]).line;
    }
    return undefined;
  };
  throw new ConfigError(
    options.file,
    unique(all).map((fault) => withLine(fault, lineOf(fault.key))),
  );
}

/** Aliases are not followed: a small file of them can grow without bound. */
function plainOf(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw new ConfigError(file, [{ key: '', problem: 'uses an alias (*name): write the value out' }]);
  }
}

function withLine(fault: ConfigFault, line: number | undefined): ConfigFault {
  return line === undefined ? fault : { ...fault, line };
}

/** One key, one fault: where its value could not be resolved, what the schema says of the gap is noise. */
function unique(faults: readonly ConfigFault[]): readonly ConfigFault[] {
  return faults.filter(({ key }, index) => faults.findIndex((other) => other.key === key) === index);
}
