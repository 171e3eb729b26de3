import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#base/runtime/clock';
import { FRONTEND_NAME } from './engine-config.ts';
import { engineHome } from './engine-home.ts';
import type { EnginePorts } from './engine-ports.ts';
import { isAlive } from './process-signals.ts';
import type { SelfTestCheck } from './self-test-check.ts';
import { checkFrontendTls } from './self-test-frontend.ts';
import { checkPorts } from './self-test-ports.ts';

export interface RunningEngine {
  readonly pid: number;
  readonly checks: readonly SelfTestCheck[];
}

/**
 * The self-test (T-099) from another process than the one that runs the engine of a home, for `doctor`. The
 * checks of tokens are left out: their keys are in that process's memory alone.
 * @returns undefined where no engine runs. @throws where the files of a running one cannot be read.
 */
export async function testRunningEngine(home: string, clock: Clock): Promise<RunningEngine | undefined> {
  const files = engineHome(home);
  const pid = Number(await readFile(files.pidFile, 'utf8').catch(() => '0'));
  if (pid < 2 || !isAlive(pid)) return undefined;
  const read = (name: string): Promise<string> => readFile(join(files.pki, name), 'utf8');
  const [portsText, config, ca, cert, key] = await Promise.all([
    readFile(files.portsFile, 'utf8'),
    readFile(files.configFile, 'utf8'),
    read('internal-ca.crt'),
    read('gateway.crt'),
    read('gateway.key'),
  ]);
  const ports = JSON.parse(portsText) as EnginePorts;
  const tls = { serverName: FRONTEND_NAME, ca, cert, key };
  const nexusEnabled = config.includes('httpPort');
  const groups = await Promise.all([
    checkFrontendTls({ address: { host: '127.0.0.1', port: ports.grpc.frontend }, tls, clock }),
    checkPorts({ ports, pid, tls, nexusEnabled }),
  ]);
  return { pid, checks: groups.flat() };
}
