import type { Load } from './load-process.ts';
import { cpuUsOf } from './measure.ts';
import type { BenchOptions } from './options.ts';
import type { Readings } from './readings.ts';
import { inRounds } from './rounds.ts';
import type { Subject } from './subject.ts';

/** CPU per new connection: a full TLS 1.3 handshake with client certificate, HTTP/2 settings, close. */
export async function measureHandshakes(
  subjects: readonly Subject[],
  load: Load,
  options: BenchOptions,
  readings: Readings,
): Promise<void> {
  const proxies = subjects.flatMap(({ target, pid }) => (pid === undefined ? [] : [{ target, pid }]));
  for (const { target } of proxies) await load.handshakes(target, Math.min(100, options.handshakes));
  await inRounds(proxies, options.rounds, async ({ target, pid }) => {
    const { cpuUs } = await cpuUsOf(pid, () => load.handshakes(target, options.handshakes));
    readings.add('CPU per handshake', 'µs', target.name, cpuUs / options.handshakes);
  });
}
