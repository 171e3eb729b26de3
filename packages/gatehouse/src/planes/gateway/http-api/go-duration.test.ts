import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goDurationToJson } from './go-duration.ts';

const read: readonly (readonly [string, string])[] = [
  ['0', '0s'],
  ['10s', '10s'],
  ['1h30m', '5400s'],
  ['250ms', '0.250000000s'],
  ['-1.5s', '-1.500000000s'],
  ['.5m', '30s'],
  ['1us', '0.000001000s'],
  ['1111.1h', '3999960s'],
  ['0.9999999999s', '0.999999999s'],
  ['000000000000000000001s', '1s'],
  ['9223372036.854775807s', '9223372036.854775807s'],
];
for (const [text, json] of read) {
  test(`the duration ${text} of Go is ${json}`, () => assert.equal(goDurationToJson(text), json));
}

for (const text of [
  '',
  '1',
  's',
  '1d',
  '1 s',
  '1s ',
  '1e3s',
  'Infinitys',
  '9999999h',
  '9223372036.854775808s',
  '99999999999999999999ns',
]) {
  test(`${JSON.stringify(text)} is no duration of Go`, () => assert.equal(goDurationToJson(text), undefined));
}
