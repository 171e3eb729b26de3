import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPassedMetadata } from './engine-metadata.ts';

test('T-018 metadata that the engine trusts without asking who sent it is not passed on', () => {
  for (const name of [
    'authorization',
    'authorization-extras',
    'caller-name',
    'caller-type',
    'call-initiation',
    'temporal-experiment',
    'temporal-namespace',
    'temporal-principal-name',
    'temporal-principal-type',
    'x-forwarded-client-cert',
    'xdc-redirection',
    'xdc-redirection-api',
    'grpc-timeout',
    '__proto__',
    '',
  ]) {
    assert.equal(isPassedMetadata(name, 'x'), false, name);
  }
});

test('what tells the engine of the client passes, within a length', () => {
  for (const name of [
    'client-name',
    'client-version',
    'supported-server-versions',
    'supported-features',
    'traceparent',
  ]) {
    assert.equal(isPassedMetadata(name, 'x'), true, name);
    assert.equal(isPassedMetadata(name, 'x'.repeat(256)), true, name);
    assert.equal(isPassedMetadata(name, 'x'.repeat(257)), false, name);
  }
});
