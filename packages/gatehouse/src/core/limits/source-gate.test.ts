import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SourceGate } from './source-gate.ts';
import { sourceKeyOf } from './source-key.ts';

const LIMITS = { connectionsPerSecond: 10, connectionsBurst: 3, pendingHandshakes: 2, tracked: 100 };

function begin(gate: SourceGate, address: string, nowMs: number): boolean {
  const source = gate.begin(address, nowMs);
  if (source !== undefined) gate.end(source);
  return source !== undefined;
}

test('T-095a an address gets its burst of connections and then its rate, and no other address pays for it', () => {
  const gate = new SourceGate(LIMITS, 1);
  const storm = Array.from({ length: 150 }, () => begin(gate, '10.0.0.1', 0));
  assert.equal(storm.filter(Boolean).length, 3);
  assert.equal(begin(gate, '10.0.0.2', 0), true);
  assert.equal(begin(gate, '10.0.0.1', 100), true);
  assert.equal(begin(gate, '10.0.0.1', 100), false);
});

test('handshakes under way are counted until they end', () => {
  const gate = new SourceGate({ ...LIMITS, connectionsBurst: 100 }, 1);
  const first = gate.begin('10.0.0.1', 0);
  assert.ok(first && gate.begin('10.0.0.1', 0));
  assert.equal(gate.begin('10.0.0.1', 0), undefined);
  assert.ok(gate.begin('10.0.0.2', 0));
  gate.end(first);
  assert.ok(gate.begin('10.0.0.1', 0));
});

test('T-095b IPv6 counts by its /64, and IPv4 the same in either of its forms', () => {
  const gate = new SourceGate(LIMITS, 1);
  const hosts = Array.from({ length: 20 }, (_, host) => begin(gate, `2001:db8:1:2::${host.toString(16)}`, 0));
  assert.equal(hosts.filter(Boolean).length, 3);
  assert.equal(begin(gate, '2001:db8:1:3::1', 0), true);
  assert.equal(gate.size, 2);
  for (const [address, key] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:DB8:0:0:1::1', '2001:db8:0:0::/64'],
    ['2001:db8:0000::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['1:2:3::4:5:6:7', '1:2:3:0::/64'],
    ['1::2:3:4:192.0.2.7', '1:0:0:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ] as const) {
    assert.equal(sourceKeyOf(address), key, address);
  }
});

test('T-096 of any number of addresses only so many are remembered, those that were active last', () => {
  const gate = new SourceGate(LIMITS, 1);
  for (let take = 0; take < 4; take += 1) begin(gate, '10.0.0.1', 0);
  for (let host = 0; host < 99; host += 1) begin(gate, `10.1.0.${host}`, 0);
  assert.equal(begin(gate, '10.0.0.1', 0), false, 'still remembered');
  for (let host = 0; host < 5000; host += 1) begin(gate, `10.2.${host >> 8}.${host & 255}`, 0);
  assert.equal(gate.size, 100);
  gate.follow({ ...LIMITS, tracked: 10 }, 1);
  assert.equal(gate.size, 10);
});

test('a handshake that ends after its address was forgotten, or under other limits, takes nothing from anybody', () => {
  const gate = new SourceGate({ ...LIMITS, tracked: 1, connectionsBurst: 100 }, 1);
  const first = gate.begin('10.0.0.1', 0);
  assert.ok(first);
  begin(gate, '10.0.0.2', 0);
  assert.ok(gate.begin('10.0.0.1', 0) && gate.begin('10.0.0.1', 0));
  gate.end(first);
  assert.equal(gate.begin('10.0.0.1', 0), undefined);
  gate.follow({ ...LIMITS, pendingHandshakes: 3 }, 1);
  assert.ok(gate.begin('10.0.0.1', 0));
});
