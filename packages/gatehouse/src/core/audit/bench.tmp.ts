import { eventLine as after, GENESIS_HASH } from './chain.ts';
import { createFieldSealer } from './fields/field-sealer.ts';
import { dataKeys, sampleEvent } from './fixture.test.ts';
import { systemClock } from '#base/runtime/clock';
import { quoteText } from './quoted-text.ts';
const { eventLine: before } = await import('./base.tmp/chain.ts');
const CONN = Number(process.argv[2] ?? 1000);
const peers = Array.from({ length: CONN }, (_, i) => ({ peer: `10.1.${i >> 8}.${i & 255}:${20000 + i}`, principal: `certificate:${String(i).padStart(64, 'a0')}`, credential: `CN=orders CA ${i % 7},O=acme 7b${i}c0ffee12345678` }));
const events = peers.map((p, i) => sampleEvent({ ...p, requestId: `0190c8d8-7c1a-7b6e-9c1f-${String(i).padStart(12, '0')}` }));
const sealer = createFieldSealer('0190c8d8-7c1a-7b6e-9c1f-8f0e5a3b2c1d', dataKeys, systemClock);
const N = 50000;
const cpu = () => { const u = process.cpuUsage(); return u.user + u.system; };
let head = { seq: 1, hash: GENESIS_HASH };
let bytes = 0;
const runs: Record<string, (i: number) => void> = {
  before(i) { const l = before(head, events[i % CONN]!, performance.now()); head = { seq: head.seq + 1, hash: l.hash }; bytes = l.line.length; },
  sealed(i) { const l = after(head, events[i % CONN]!, performance.now(), sealer.textNow()); head = { seq: head.seq + 1, hash: l.hash }; bytes = l.line.length; },
};
for (const f of Object.values(runs)) for (let i = 0; i < N; i++) f(i);
const best: Record<string, number> = {}; const size: Record<string, number> = {};
for (let r = 0; r < 15; r++) for (const [name, f] of Object.entries(runs)) {
  const t = cpu(); for (let i = 0; i < N; i++) f(i);
  best[name] = Math.min(best[name] ?? 1e9, (cpu() - t) / N); size[name] = bytes;
}
console.log(CONN, 'connections, us of CPU per record (best of 15)', best, 'added', (best['sealed']! - best['before']!).toFixed(3), size);
const t = cpu(); for (let i = 0; i < 20000; i++) sealer.textNow()('peer', `10.9.8.7:${i}`); console.log('cold value', ((cpu() - t) / 20000).toFixed(2), 'us');
