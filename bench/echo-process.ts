import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BenchCertificates } from './certificates.ts';
import { endWithUs } from './child.ts';
import type { EchoReport, EchoSettings } from './echo-engine.ts';
import { CHILD_NODE_FLAGS } from './load-process.ts';

/** The parent's handle on the echo engine. */
export interface Echo {
  readonly port: number;
  /** How many polls sit there now. */
  parkedPolls(): Promise<number>;
  stop(): void;
}

/** @param jwksPort where the gateways of this run publish their keys, one gateway at a time. */
export async function startEcho(certificates: BenchCertificates, jwksPort: number): Promise<Echo> {
  const settings: EchoSettings = {
    caFile: certificates.platformCaFile,
    ...certificates.engine,
    jwksUrl: `http://127.0.0.1:${jwksPort}/jwks.json`,
  };
  const child = fork(fileURLToPath(new URL('echo-engine.ts', import.meta.url)), [JSON.stringify(settings)], {
    execArgv: CHILD_NODE_FLAGS,
  });
  endWithUs(child);
  const nextReport = (): Promise<EchoReport> =>
    new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error('the echo engine ended'));
      child.once('exit', onExit);
      child.once('message', (report: EchoReport) => {
        child.off('exit', onExit);
        resolve(report);
      });
    });
  const first = await nextReport();
  if (!('port' in first)) throw new Error('the echo engine did not tell its port');
  return {
    port: first.port,
    parkedPolls: async () => {
      const answer = nextReport();
      child.send('parked?');
      const report = await answer;
      return 'parkedPolls' in report ? report.parkedPolls : 0;
    },
    stop: () => child.disconnect(),
  };
}
