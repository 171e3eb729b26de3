import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPart, type PartOptions } from './build-part.ts';
import { runProgram } from './run-program.ts';
import { runStep } from './run-step.ts';

/** The newest on the module proxy: its tags of v2.3.0 and later name another module path than its go.mod. */
const module = 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible';

/** Path of `h2spec`, built once; Go's checksum database vouches for the source. */
export async function obtainH2spec(options: PartOptions = {}): Promise<string> {
  const folder = await buildPart('h2spec', [module], options, async (into) => {
    options.progress?.(`h2spec: go install ${module}`);
    await runStep('go', ['install', '-trimpath', module], {
      cwd: into,
      env: { GOBIN: into, GOTOOLCHAIN: 'local' },
    });
  });
  return join(folder, 'h2spec');
}

export interface H2specTarget {
  /** On the loopback, without TLS: h2spec cannot show a client certificate. */
  readonly port: number;
  /** Should answer GET with a body: a few cases look for DATA. */
  readonly path: string;
}

/** One case, named as in the report: `http2/5.1/8` is the eighth of section 5.1. */
export interface H2specCase {
  readonly id: string;
  readonly title: string;
  readonly passed: boolean;
  readonly skipped: boolean;
}

/** Runs every case, strictly. @throws Error where there is no report. */
export async function runH2spec(
  h2spec: string,
  { port, path }: H2specTarget,
): Promise<readonly H2specCase[]> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-h2spec-'));
  try {
    const report = join(folder, 'report.xml');
    await runProgram(h2spec, [
      ...['-h', '127.0.0.1', '-p', String(port), '-P', path],
      // Strict; its two seconds for an answer are short on a busy machine.
      ...['-S', '-o', '3', '-j', report],
    ]);
    return readReport(await readFile(report, 'latin1'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const TESTCASE = /<testcase package="([^"]*)" classname="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g;

function readReport(xml: string): H2specCase[] {
  const counts = new Map<string, number>();
  return [...xml.matchAll(TESTCASE)].map(([, section = '', title = '', inside = '']) => {
    const number = (counts.get(section) ?? 0) + 1;
    counts.set(section, number);
    return {
      id: `${section}/${number}`,
      title,
      passed: !/<(?:failure|error|skipped)/.test(inside),
      skipped: inside.includes('<skipped'),
    };
  });
}
