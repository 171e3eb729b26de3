import { type BenchRun, withSubjects } from './bench-run.ts';
import { cpuUsOf } from './measure.ts';
import { inRounds } from './rounds.ts';

/** CPU per new connection: a full TLS 1.3 handshake with client certificate, HTTP/2 settings, close. */
export async function measureHandshakes(run: BenchRun): Promise<void> {
  const { load, options, readings } = run;
  await withSubjects(run, run.starters.values(), 'one', async (subjects) => {
    const proxies = subjects.flatMap(({ target, pid }) => (pid === undefined ? [] : [{ target, pid }]));
    for (const { target } of proxies) await load.handshakes(target, options.handshakes);
    await inRounds(proxies, options.rounds, async ({ target, pid }) => {
      const { cpuUs } = await cpuUsOf(pid, () => load.handshakes(target, options.handshakes));
      readings.add('CPU per handshake', 'µs', target.name, cpuUs / options.handshakes);
    });
  });
}
