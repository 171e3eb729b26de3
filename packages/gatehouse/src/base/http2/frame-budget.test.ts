import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameBudget } from './frame-budget.ts';

const HEAD = [':method', 'POST', ':path', '/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo'];
const PING = 17;
const WINDOW_UPDATE = 13;

test('a client that only keeps its connection alive stays within the budget', () => {
  const budget = new FrameBudget();
  let read = 100;
  for (let second = 0; second <= 300; second += 1) {
    read += PING;
    assert.equal(budget.overdrawn(second * 1000, read, second * PING), 0);
  }
});

test('a client that asks, reads large answers and measures its bandwidth stays within the budget', () => {
  const budget = new FrameBudget();
  let [read, written] = [100, 100];
  for (let second = 0; second <= 100; second += 1) {
    for (let call = 0; call < 100; call += 1) {
      budget.call(HEAD);
      read += 150 + 2 * WINDOW_UPDATE + PING;
      // An answer of 1 MiB in frames of 16 KiB: two window updates and a ping for each.
      written += 1024 * 1024;
      read += 64 * (2 * WINDOW_UPDATE + PING);
    }
    assert.equal(budget.overdrawn(second * 1000, read, written), 0);
  }
});

test('a client that sends large bodies in small frames stays within the budget', () => {
  const budget = new FrameBudget();
  let read = 100;
  budget.call(HEAD);
  for (let frame = 0; frame < 10_000; frame += 1) {
    budget.body(256);
    read += 9 + 256;
  }
  assert.equal(budget.overdrawn(0, read, 0), 0);
});

for (const [what, bytes] of [
  ['SETTINGS', 9],
  ['PING', PING],
  ['PRIORITY', 14],
  ['WINDOW_UPDATE', WINDOW_UPDATE],
] as const) {
  test(`T-027 a thousand frames of ${what} without a call are too many`, () => {
    assert.ok(new FrameBudget().overdrawn(1000, 1000 * bytes, 0) > 0);
  });
}

test('T-027 what a busy client saved up does not pay for a flood', () => {
  const budget = new FrameBudget();
  for (let call = 0; call < 10_000; call += 1) budget.call(HEAD);
  assert.equal(budget.overdrawn(1000, 1000, 0), 0);
  assert.ok(budget.overdrawn(2000, 1000 + 70 * 1024, 0) > 0);
});

test('T-028 a body of single bytes is too many frames', () => {
  const budget = new FrameBudget();
  for (let frame = 0; frame < 1000; frame += 1) budget.body(1);
  assert.ok(budget.overdrawn(0, 1000 * 10, 0) > 0);
});

test('what is on its way when we end a call is forgiven, as much of it as the window allowed', () => {
  const budget = new FrameBudget();
  budget.cutShort(1024 * 1024);
  assert.equal(budget.overdrawn(0, 1024 * 1024, 0), 0);
  assert.ok(budget.overdrawn(0, 1024 * 1024 + 5000, 0) > 0);
});
