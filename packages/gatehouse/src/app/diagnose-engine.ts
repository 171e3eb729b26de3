import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#base/runtime/clock';
import { EngineError } from '#core/engine/engine-error';
import { findEngine, findOnPath, PINNED_ENGINE_VERSION } from '#core/engine/find-engine';
import { testRunningEngine } from '#core/engine/test-running-engine';
import type { Finding } from './finding.ts';
import { cacheFolderOf, type Machine } from './open-engine.ts';

/** Which engine the next start takes, and whether the one that runs is closed where it must be. Builds nothing. */
export async function diagnoseEngine(
  root: string,
  machine: Machine,
  clock: Clock,
): Promise<readonly Finding[]> {
  return [...(await candidateFindings(machine)), ...(await runningFindings(root, clock))];
}

async function candidateFindings(machine: Machine): Promise<readonly Finding[]> {
  const cached = join(cacheFolderOf(machine), 'engine', PINNED_ENGINE_VERSION, 'temporal-server');
  const candidates = [await findOnPath('temporal-server', machine.path), cached];
  const findings: Finding[] = [];
  for (const candidate of candidates) {
    if (candidate === undefined || !(await isExecutable(candidate))) continue;
    const finding = await judgeCandidate(candidate, machine);
    findings.push(finding);
    // A bad one on PATH is passed over for the cache; a bad one in the cache ends the start.
    if (finding.level === 'ok') return findings;
  }
  findings.push(await goFinding(machine));
  return findings;
}

async function judgeCandidate(path: string, machine: Machine): Promise<Finding> {
  try {
    const { version } = await findEngine({
      version: PINNED_ENGINE_VERSION,
      cacheFolder: cacheFolderOf(machine),
      path: machine.path,
      progress: () => undefined,
      // As a configured one it is judged, and never replaced by a build.
      configuredBinary: path,
    });
    return { level: 'ok', text: `the engine is Temporal Server ${version}, ${path}` };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return {
      level: 'warning',
      text: `${path} is not used: ${error.message}`,
      cure: 'replace it, or remove it',
    };
  }
}

async function goFinding({ path }: Machine): Promise<Finding> {
  const go = await findOnPath('go', path);
  if (go !== undefined) {
    return {
      level: 'warning',
      text: `there is no engine yet: the next start builds it with ${go}, once, in some minutes`,
    };
  }
  return {
    level: 'problem',
    text: 'there is no engine, and no Go to build it with',
    cure: `put temporal-server ${PINNED_ENGINE_VERSION} on PATH, install Go, or set engine.address to a server that runs`,
  };
}

async function runningFindings(root: string, clock: Clock): Promise<readonly Finding[]> {
  const running = await testRunningEngine(root, clock).catch((error: unknown) => error);
  if (running === undefined) return [{ level: 'ok', text: 'the engine is not running' }];
  if (typeof running !== 'object' || running === null || !('checks' in running)) {
    const text = `the engine that runs cannot be tested: ${running instanceof Error ? running.message : running}`;
    return [{ level: 'problem', text, cure: 'stop and start again' }];
  }
  const { pid, checks } = running as NonNullable<Awaited<ReturnType<typeof testRunningEngine>>>;
  const open = checks.filter(({ held }) => !held);
  if (open.length === 0) {
    return [
      {
        level: 'ok',
        text: `the engine runs (process ${pid}) and is closed where it must be (${checks.length} checks)`,
      },
    ];
  }
  return open.map(({ check, detail }) => ({
    level: 'problem',
    text: `the engine is open where it must be closed: ${check} (${detail})`,
    cure: 'stop it, and start it again with `gatehouse`; if that does not help, tell its makers',
  }));
}

async function isExecutable(path: string): Promise<boolean> {
  return await access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
