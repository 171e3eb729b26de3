import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { loadConfig } from '#base/config/load-config';
import { parseCertificateFilters } from '#base/pki/certificate-filter';
import { defaultHome, machineOf } from '../machine.ts';
import { diagnoseCertificate, type Finding } from './doctor-certificate.ts';

interface DoctorFlags {
  readonly home: string;
  readonly config?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  readonly filters?: string;
  readonly output: string;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Tell what is wrong with an installation or a client certificate, and how to mend it.')
    .option('--home <dir>', 'the home to look at (or GATEHOUSE_HOME)', defaultHome(process.env))
    .option('--config <file>', 'a configuration of `serve` to judge instead')
    .option('--cert <file>', 'a client certificate (PEM, with its intermediates) to judge instead')
    .option('--key <file>', 'the private key that should belong to it')
    .option('--ca <file>', "the namespace's CA bundle to judge it against")
    .option('--filters <file>', "the namespace's certificate filters (JSON)")
    .option('--output <form>', 'table or json', 'table')
    .addHelpText(
      'after',
      `
Examples:
  gatehouse doctor
  gatehouse doctor --config /etc/gatehouse/gatehouse.yaml
  gatehouse doctor --cert client.pem --key client.key --ca ca.pem`,
    )
    .action(async (flags: DoctorFlags, command: Command) => {
      if (flags.cert !== undefined && flags.ca === undefined)
        command.error('error: --cert needs --ca', { exitCode: 2 });
      const findings = await look(flags);
      print(findings, flags.output);
      if (findings.some(({ level }) => level === 'problem')) process.exitCode = 1;
    });
}

async function look(flags: DoctorFlags): Promise<readonly Finding[]> {
  if (flags.cert !== undefined) return judge(flags.cert, flags);
  const { diagnoseHome } = await import('#app/diagnose-home');
  const machine = machineOf(process.env);
  if (flags.config === undefined) return await diagnoseHome(resolve(flags.home), machine);
  const { diagnoseConfig } = await import('#app/diagnose-config');
  const file = flags.config;
  return await diagnoseConfig(() => loadConfig(file, process.env));
}

function judge(cert: string, flags: DoctorFlags): readonly Finding[] {
  const read = (file: string): string => readFileSync(file, 'utf8');
  return diagnoseCertificate({
    certificatePem: read(cert),
    caBundlePem: read(flags.ca ?? ''),
    ...(flags.key === undefined ? {} : { keyPem: read(flags.key) }),
    ...(flags.filters === undefined
      ? {}
      : { filters: parseCertificateFilters(JSON.parse(read(flags.filters))) }),
    nowMs: Date.now(),
  });
}

const MARKS: Readonly<Record<Finding['level'], string>> = { ok: '✓', warning: '!', problem: '✗' };

function print(findings: readonly Finding[], output: string): void {
  if (output === 'json') {
    process.stdout.write(`${JSON.stringify({ findings })}\n`);
    return;
  }
  for (const { level, text, cure } of findings) {
    process.stdout.write(`${MARKS[level]} ${text}\n${cure === undefined ? '' : `    ${cure}\n`}`);
  }
}
