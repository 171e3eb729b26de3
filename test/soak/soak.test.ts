import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { startGatehouse, until } from '../e2e/gatehouse-process.ts';
import { workerLanguages } from '../parts/sdk-workers.ts';
import { account } from './account.ts';
import { disturbancesOf, type Stage } from './disturbances.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { NAMESPACE, type SoakSite, startSoakSite } from './soak-site.ts';
import { openSteadyClient, type SteadyClient } from './steady-client.ts';
import { type SteadyLoad, startSteadyLoad } from './steady-load.ts';
import { medians, rises, type Sample, trendOf } from './trend.ts';

const MINUTES = Number(process.env['GATEHOUSE_SOAK_MINUTES'] ?? 3);
const PER_SECOND = Number(process.env['GATEHOUSE_SOAK_RATE'] ?? 8);
/** One round through all disturbances, the quiet between them included; a shorter soak has one round. */
const CYCLE_MINUTES = 10;
const WARM_UP_MS = 20_000;
const SETTLE_MS = 3000;
const SDK_STARTS = 10;
/** Parts of the mean by which a value may rise over the life of the last process. */
const RISE_MAX = { heap: 0.3, descriptors: 0.3, latency: 1 };
const WINDOW_MS = 4000;

let soak: SoakSite | undefined;
let fleet: Fleet | undefined;
let client: SteadyClient | undefined;
let load: SteadyLoad | undefined;

after(async () => {
  load?.abandon();
  fleet?.kill();
  client?.close();
  await soak?.close();
});

function say(text: string): void {
  process.stdout.write(`soak: ${text}\n`);
}

test('F-25 under load and fault after fault every acknowledged Workflow completes once, no call hangs, nothing grows', {
  timeout: (MINUTES + 6) * 60_000,
}, async () => {
  soak = await startSoakSite();
  fleet = await startFleet(soak.target('first'));
  client = openSteadyClient(soak.endpoint('first'), NAMESPACE);
  load = startSteadyLoad(client, fleet.taskQueues, PER_SECOND);
  const stage = { soak, fleet, client, load, ca: 'first', cycle: 1, retentionDays: 1 };
  const gaveUp = await disturb(stage);
  await load.finish();
  for (const [answer, count] of [...load.refused].sort()) say(`${count} times in ${answer}`);
  assert.deepEqual(load.faults, []);
  assert.deepEqual(fleet.faults, []);
  // Only a gateway that ends may take a connection with it; a stream that was refused was never begun. Nobody is
  // ever told anything but "again".
  for (const answer of load.refused.keys()) {
    assert.match(answer, /^(SIGTERM|SIGKILL): -1 |: (-1 rst 7|14 .*|4 .*)$/);
  }
  await settle(stage, gaveUp);
  judgeTrends(stage);
  await fleet.stop();
  assert.deepEqual(fleet.faults, []);
  await closeAndVerify(soak);
});

type Soaked = Stage & { readonly load: SteadyLoad };

/** @returns how many calls of the SDKs' starters gave up waiting. */
async function disturb(stage: Soaked): Promise<number> {
  const { load: running, soak: site, fleet: workers } = stage;
  await until('Workers work', () => running.results.size > 50, 60_000);
  const cycles = Math.max(1, Math.floor(MINUTES / CYCLE_MINUTES));
  const endsAt = Date.now() + MINUTES * 60_000;
  let left = cycles * disturbancesOf(stage).length;
  let gaveUp = 0;
  for (; stage.cycle <= cycles; stage.cycle += 1) {
    for (const [index, { name, run }] of disturbancesOf(stage).entries()) {
      const language = workerLanguages[index % workerLanguages.length] ?? 'go';
      const starting = workers.start(language, site.target(stage.ca), SDK_STARTS);
      running.phase = name;
      const what = await run();
      say(`${name}: ${what}; ${running.acknowledged.size} started, ${running.results.size} completed`);
      // Its calls give up after a while, as the SDK sees fit; what it got started is counted all the same.
      const { lines } = await starting;
      gaveUp += lines.filter((line) => line['ok'] === false && 'workflow' in line).length;
      await wait(SETTLE_MS);
      running.phase = 'quiet';
      await wait(Math.max(0, (endsAt - Date.now()) / left));
      left -= 1;
    }
  }
  running.phase = 'end';
  return gaveUp;
}

/** Every Workflow by its result and by what the engine holds of it. */
async function settle({ load: ended, client: through, soak: site }: Soaked, gaveUp: number): Promise<void> {
  const { acknowledged, results } = ended;
  for (const workflowId of acknowledged.keys()) {
    assert.match(results.get(workflowId) ?? 'no result', new RegExp(`^Hello, ${workflowId}!?$`));
  }
  const counted = await account(through, acknowledged.keys(), (id) => results.get(id) ?? '');
  say(
    `${ended.calls} calls on ${through.opened} connections; ${acknowledged.size} Workflows acknowledged, ` +
      `${counted.workflows} with those of the SDKs' starters (${gaveUp} of which gave up waiting); ` +
      `${counted.activities} activities, ${counted.triedAgain} tried again; ${site.starts} gateways`,
  );
  assert.ok(counted.workflows >= acknowledged.size + SDK_STARTS);
}

/** Over the life of the last process, which began with the last restart. */
function judgeTrends({ load: ended, soak: site }: Soaked): void {
  const since = (site.descriptors[0]?.at ?? 0) + WARM_UP_MS;
  const series = (samples: readonly Sample[]): readonly Sample[] => samples.filter(({ at }) => at > since);
  const trends = {
    heap: trendOf(series(site.heap())),
    descriptors: trendOf(series(site.descriptors)),
    latency: trendOf(medians(series(ended.latencies), WINDOW_MS)),
  };
  for (const [name, { growth, certainty, mean, count }] of Object.entries(trends)) {
    const percent = Math.round(growth * 100);
    say(
      `${name}: mean ${mean.toPrecision(3)}, ${percent} % over ${count} samples (${certainty.toFixed(1)} sigma)`,
    );
  }
  for (const name of ['heap', 'descriptors', 'latency'] as const) {
    assert.equal(rises(trends[name], RISE_MAX[name]), false, `${name}: ${JSON.stringify(trends[name])}`);
  }
}

async function closeAndVerify({ gateway, site }: SoakSite): Promise<void> {
  gateway.child.kill('SIGTERM');
  assert.equal(await gateway.ended, 0);
  const verify = startGatehouse(['audit', 'verify', '--home', site.home, '--output', 'json']);
  assert.equal(await verify.ended, 0, verify.stdout());
  say(`audit verify: ${verify.stdout().trim()}`);
}
