import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTrustedNexusHeader } from './nexus-headers.ts';

test('T-045 a header that the engine trusts is known in any case, and in letters that only become ASCII later', () => {
  for (const name of [
    'authorization',
    'Authorization-Extras',
    'caller-name',
    'Caller-Type',
    'call-initiation',
    'source',
    'SOURCE',
    'x-forwarded-for',
    'xdc-redirection-api',
    'Nexus-Callback-Temporal-Callback-Token',
    'nexus-callback-source',
    'nexus-request-id',
    'temporal-callback-token',
    'temporal-namespace',
    'temporal-principal-name',
    'content-type',
    // The engine's lower case of these is ASCII.
    'nexus-callbac\u212a-temporal-callback-token',
    'author\u0130zation',
    '',
    ' source',
    'a b',
    'a\r\nsource',
  ]) {
    assert.equal(isTrustedNexusHeader(name), true, JSON.stringify(name));
  }
});

test("a caller's own headers for a Nexus operation are his own", () => {
  for (const name of [
    'traceparent',
    'Operation-Timeout',
    'x-tenant',
    'sources',
    'user-agent',
    '_tracer-data',
  ]) {
    assert.equal(isTrustedNexusHeader(name), false, name);
  }
});
