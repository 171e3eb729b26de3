import { ConfigError } from '#base/config/config-error';
import type { Config } from '#base/config/schema';
import { systemClock } from '#base/runtime/clock';
import type { Finding } from './finding.ts';
import { hostsWithoutCertificate, identityFaults } from './reload.ts';

/** Says of a configuration what the start would say, without starting. */
export async function diagnoseConfig(load: () => Config): Promise<readonly Finding[]> {
  try {
    const config = load();
    const faults = await identityFaults(config, systemClock);
    if (faults.length === 0) {
      const hosts = await hostsWithoutCertificate(config, systemClock);
      return [{ level: 'ok', text: 'the configuration can be used' }, ...hosts.map(hostFinding)];
    }
    return faults.map(({ key, problem }) => ({ level: 'problem', text: `${key}: ${problem}` }));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map(({ key, problem }) => ({
      level: 'problem',
      text: `${key || 'the file'}: ${problem}`,
    }));
  }
}

function hostFinding(host: string): Finding {
  const text = `the server certificate does not stand for ${host}: its clients refuse it`;
  return { level: 'warning', text, cure: 'add the name to its subjectAltName' };
}
