import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { messageType } from '#base/proto/api-registry';
import { frameLength, toFrame } from '#base/wire/grpc-message';
import { type GatewayFixture, HOST, startGatewayFixture } from './gateway-fixture.test.ts';

interface Response {
  readonly validHost: string;
  readonly messageResponse: { readonly case: string; readonly value: Record<string, unknown> };
}

for (const version of ['v1', 'v1alpha']) {
  test(`${version}: one stream answers many questions, in order, also those it says no to`, async (t) => {
    const fixture = await startGatewayFixture(t);
    const { responses, status } = await ask(t, fixture, version, [
      { case: 'listServices', value: '' },
      { case: 'fileContainingSymbol', value: 'temporal.api.workflowservice.v1.WorkflowService' },
      { case: 'fileContainingSymbol', value: 'no.such.Symbol' },
      { case: 'fileByFilename', value: '../../etc/passwd' },
      { case: 'allExtensionNumbersOfType', value: 'google.protobuf.MethodOptions' },
      {
        case: 'fileContainingExtension',
        value: { containingType: 'google.protobuf.FieldOptions', extensionNumber: 1052 },
      },
    ]);
    assert.equal(status, '0');
    assert.deepEqual(
      responses.map((response) => response.messageResponse.case),
      [
        'listServicesResponse',
        'fileDescriptorResponse',
        'errorResponse',
        'errorResponse',
        'allExtensionNumbersResponse',
        'fileDescriptorResponse',
      ],
    );
    assert.equal(responses[2]?.messageResponse.value['errorCode'], 5);
    const [event] = fixture.events;
    assert.equal(event?.method, `grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);
    assert.match(event?.principal ?? '', /^certificate:/);
  });
}

test('T-034 a reflection request that is no message ends the stream with INVALID_ARGUMENT', async (t) => {
  const fixture = await startGatewayFixture(t);
  assert.equal((await exchange(t, fixture, 'v1', toFrame(Buffer.from([0x0a, 0xff])))).status, '3');
});

test('T-031 more than a thousand questions on one stream are not answered', async (t) => {
  const fixture = await startGatewayFixture(t);
  const questions = Array.from({ length: 1001 }, () => ({ case: 'listServices', value: '' }));
  const { responses, status } = await ask(t, fixture, 'v1', questions);
  assert.equal(responses.length, 1000);
  assert.equal(status, '8');
});

async function ask(
  t: TestContext,
  fixture: GatewayFixture,
  version: string,
  questions: readonly object[],
): Promise<{ readonly responses: Response[]; readonly status: string }> {
  const type = messageType('grpc.reflection.v1.ServerReflectionRequest');
  const frames = questions.map((messageRequest) =>
    toFrame(toBinary(type, create(type, { messageRequest } as never))),
  );
  const { messages, status } = await exchange(t, fixture, version, Buffer.concat(frames));
  const responseType = messageType('grpc.reflection.v1.ServerReflectionResponse');
  return {
    responses: messages.map((message) => fromBinary(responseType, message) as unknown as Response),
    status,
  };
}

async function exchange(
  t: TestContext,
  fixture: GatewayFixture,
  version: string,
  body: Buffer,
): Promise<{ readonly messages: Buffer[]; readonly status: string }> {
  const session = connect(`https://${HOST}`, {
    createConnection: () => connectTls({ ...fixture.client, ...fixture.gateway.grpc, ALPNProtocols: ['h2'] }),
  });
  t.after(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.end(body);
  let status = '';
  const chunks: Buffer[] = [];
  stream.on('response', (headers) => {
    status = String(headers['grpc-status'] ?? '');
  });
  stream.on('trailers', (trailers) => {
    status = String(trailers['grpc-status']);
  });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve, reject) => stream.on('close', resolve).on('error', reject));
  const messages: Buffer[] = [];
  for (let rest = Buffer.concat(chunks); rest.length > 0; rest = rest.subarray(5 + frameLength(rest))) {
    messages.push(rest.subarray(5, 5 + frameLength(rest)));
  }
  return { messages, status };
}
