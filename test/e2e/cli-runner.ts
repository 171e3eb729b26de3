import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ProgramOutcome, runProgram } from '../parts/run-program.ts';
import { obtainTemporalCli } from '../parts/temporal-cli.ts';
import type { HouseTarget } from './house-target.ts';

/** The `temporal` program of one namespace's user. */
export interface CliRunner {
  run(...words: string[]): Promise<ProgramOutcome>;
  /** What it prints as JSON, where it must end well. */
  // biome-ignore lint/suspicious/noExplicitAny: what the program prints; a test names what it expects.
  json(...words: string[]): Promise<any>;
  close(): Promise<void>;
}

export async function openCliRunner({ address, namespace, tls }: HouseTarget): Promise<CliRunner> {
  const cli = await obtainTemporalCli();
  const emptyFolder = await mkdtemp(join(tmpdir(), 'gatehouse-cli-'));
  const run: CliRunner['run'] = (...words) =>
    runProgram(cli, [
      ...words,
      // A person's own profile must not decide what is tested.
      ...['--config-file', join(emptyFolder, 'none.toml'), '--disable-config-env'],
      ...['--address', address, '--namespace', namespace],
      ...['--tls-ca-path', tls.caFile, '--tls-cert-path', tls.certificateFile],
      ...['--tls-key-path', tls.keyFile, '--tls-server-name', tls.serverName],
    ]);
  return {
    run,
    async json(...words) {
      const { exitCode, stdout, stderr } = await run(...words, '--output', 'json');
      assert.equal(exitCode, 0, `temporal ${words.join(' ')}\n${stderr}`);
      return JSON.parse(stdout);
    },
    close: () => rm(emptyFolder, { recursive: true }),
  };
}
