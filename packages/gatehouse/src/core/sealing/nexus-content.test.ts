import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { messageType } from '#base/proto/api-registry';
import { carriesPayload } from './nexus-content.ts';

function payload(metadata: Readonly<Record<string, string>>, data = 'x'): Uint8Array {
  const type = messageType('temporal.api.common.v1.Payload');
  const entries = Object.entries(metadata).map(([key, text]) => [key, Buffer.from(text)]);
  return toBinary(type, create(type, { metadata: Object.fromEntries(entries), data: Buffer.from(data) }));
}

const unknown = (more: Readonly<Record<string, string>>) =>
  payload({ encoding: 'unknown/nexus-content', ...more });

test('T-079a content that would arrive as another payload is known, however its media type is written', () => {
  for (const type of [
    'application/x-temporal-payload',
    'Application/X-Temporal-Payload',
    ' application/x-temporal-payload; a=b',
  ]) {
    assert.ok(carriesPayload(unknown({ type })));
    assert.ok(carriesPayload(unknown({ Type: type, Encoding: 'gzip' })));
  }
});

test('content of other types, and payloads that only speak of it, are not taken for it', () => {
  assert.ok(!carriesPayload(unknown({ type: 'text/xml' })));
  assert.ok(!carriesPayload(unknown({})));
  assert.ok(!carriesPayload(payload({ encoding: 'json/plain' }, '"unknown/nexus-content"')));
  assert.ok(!carriesPayload(payload({ type: 'application/x-temporal-payload' })));
});
