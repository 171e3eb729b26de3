import { ConfigError } from '#base/config/config-error';
import type { Config } from '#base/config/schema';
import { systemClock } from '#base/runtime/clock';
import type { Finding } from './finding.ts';
import { identityFaults } from './reload.ts';

/** Says of a configuration what the start would say, without starting. */
export async function diagnoseConfig(load: () => Config): Promise<readonly Finding[]> {
  try {
    const faults = await identityFaults(load(), systemClock);
    if (faults.length === 0) return [{ level: 'ok', text: 'the configuration can be used' }];
    return faults.map(({ key, problem }) => ({ level: 'problem', text: `${key}: ${problem}` }));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ key, problem }) => ({ level: 'problem', text: `${key || 'the file'}: ${problem}` }));
  }
}
