import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { PartOptions } from './build-part.ts';
import { cleanEnv } from './clean-env.ts';
import { runStep } from './run-step.ts';
import { obtainTemporalCli } from './temporal-cli.ts';

export interface BareServer {
  /** Plain TCP, loopback. */
  readonly address: string;
  close(): Promise<void>;
}

/** A Temporal Server without a gateway, in memory: what a program or a figure is compared with. */
export async function startBareServer(
  namespaces: readonly string[],
  options: PartOptions = {},
): Promise<BareServer> {
  const cli = await obtainTemporalCli(options);
  const [port, uiPort, metricsPort] = await freePorts(3);
  const args = ['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--log-level', 'error'];
  args.push('--port', `${port}`, '--ui-port', `${uiPort}`, '--metrics-port', `${metricsPort}`);
  for (const name of namespaces) args.push('--namespace', name);
  const child = spawn(cli, args, { env: cleanEnv(), stdio: 'ignore' });
  const ended = once(child, 'exit');
  const address = `127.0.0.1:${port}`;
  while (!(await isServing(cli, address, namespaces))) {
    if (child.exitCode !== null) throw new Error(`the bare server ended with ${child.exitCode}`);
    await wait(100);
  }
  return {
    address,
    async close() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function isServing(cli: string, address: string, namespaces: readonly string[]): Promise<boolean> {
  try {
    for (const name of namespaces) {
      const args = ['--address', address, '--command-timeout', '2s', 'operator', 'namespace', 'describe'];
      await runStep(cli, [...args, '-n', name], { cwd: '/' });
    }
    return true;
  } catch {
    // Not yet: whatever the reason, the caller ends when the server does.
    return false;
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  const ports: number[] = [];
  for (const server of servers) {
    if (!server.listening) await once(server, 'listening');
    const at = server.address();
    if (at === null || typeof at === 'string') throw new Error('no port');
    ports.push(at.port);
  }
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return ports;
}
