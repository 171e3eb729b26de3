import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

test('the published program starts with the flags that are measured: a large young generation, no debugger', () => {
  const [first = ''] = readFileSync(new URL('main.ts', import.meta.url), 'utf8').split('\n');
  const flags = first.replace('#!/usr/bin/env -S node ', '').split(' ');
  assert.deepEqual(flags, ['--disable-sigusr1', '--max-semi-space-size=64']);
});
