import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, type DescMessage, type Message, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Refusal } from '#base/model/refusals';
import { messageType } from '#base/proto/api-registry';
import { Role } from '#base/proto/role';
import { methodTables, requestTables } from '#base/proto/wire-tables';
import { encode } from '#testing/grpc-client';
import { filledMessages, type Leaf } from '#testing/proto/filled-messages';
import { placesOf } from '#testing/role-places';
import { checkClientEncryption } from './check-client-encryption.ts';
import {
  check,
  encrypted,
  methodOf,
  namespace,
  outcome,
  plain,
  request,
  requiring,
  scanner,
} from './check-fixture.test.ts';
import { sdkFailureTexts } from './sdk-plaintext.ts';

const requests = [...methodTables.values()].filter(({ service }) => service.endsWith('.WorkflowService'));

const payloadRoles = [
  Role.payload,
  Role.headerPayload,
  Role.memoPayload,
  Role.attributePayload,
  Role.failureAttributes,
];
const textRoles = [Role.failureMessage, Role.failureStackTrace, Role.privateText];

const ENCRYPTED = payload({ encoding: 'binary/encrypted', 'encryption-key-id': 'k1' }, 'ciphertext');
const PLAIN = payload({ encoding: 'json/plain' }, '"a canary"');

function payload(metadata: Record<string, string>, data: string): Uint8Array {
  const bytes = Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value)]);
  return encode('common.v1.Payload', { metadata: Object.fromEntries(bytes), data: Buffer.from(data) });
}

test('T-071 plaintext is refused at every place of every request, and what is encrypted passes there', () => {
  let places = 0;
  for (const method of requests) {
    for (const role of payloadRoles) {
      for (const place of placesOf(requestTables, method.request, role)) {
        places += 1;
        assert.match(check(requiring, method, place.message(PLAIN)), /^refused [a-z_]+/, place.name);
        assert.equal(check(requiring, method, place.message(ENCRYPTED)), '', place.name);
        assert.match(check(namespace('report'), method, place.message(PLAIN)), /^plaintext at [a-z_]+/);
        assert.equal(check(namespace('off'), method, place.message(PLAIN)), '', place.name);
      }
    }
    for (const role of textRoles) {
      for (const place of placesOf(requestTables, method.request, role)) {
        places += 1;
        assert.match(check(requiring, method, place.message('a canary')), /^refused [a-z_]+/, place.name);
        assert.equal(check(requiring, method, place.message('')), '', place.name);
      }
    }
  }
  assert.ok(places > 90, `${places} places`);
});

test('T-071 a request whose every place is encrypted passes, and each place is counted where none is', () => {
  let counted = 0;
  for (const method of requests) {
    const desc = messageType(method.request.name);
    for (const message of filled(desc, encrypted, 'Encoded failure')) {
      // Stack traces are filled, too, and with that they are not empty.
      assert.equal(check(namespace('require', 'failure'), method, toBinary(desc, message)), '', method.name);
    }
    for (const message of filled(desc, plain, 'a canary')) {
      const said = check(namespace('report'), method, toBinary(desc, message));
      if (said !== '') counted += 1 + Number(/ and (\d+) more/.exec(said)?.[1] ?? 0);
    }
  }
  assert.ok(counted > 1000, `${counted} places`);
});

/** Messages with this in every payload, and this in every text that is private. */
function filled(desc: DescMessage, payloadFields: object, text: string): Message[] {
  const isPrivate = ({ owner, field }: Leaf): boolean =>
    (owner.typeName === 'temporal.api.failure.v1.Failure' && /^(message|stack_trace)$/.test(field.name)) ||
    (/QueryTaskCompletedRequest$|WorkflowQueryResult$/.test(owner.typeName) &&
      field.name === 'error_message');
  return filledMessages(desc, {
    // Closed to tenants, and read by the engine.
    enters: ({ owner, field }) => !`${owner.typeName} ${field.name}`.includes('compute'),
    text: (leaf) => (isPrivate(leaf) ? text : undefined),
    payload: () =>
      create(messageType('temporal.api.common.v1.Payload'), payloadFields as MessageInitShape<DescMessage>),
    anyTypes: [...requestTables.any.keys()],
  });
}

test('T-071 the refusal names the field by its path, and nothing that the caller wrote there', () => {
  const commands = [
    {},
    {
      attributes: {
        case: 'completeWorkflowExecutionCommandAttributes',
        value: { result: { payloads: [encrypted, plain] } },
      },
    },
  ];
  assert.throws(
    () => {
      const method = methodOf('RespondWorkflowTaskCompleted');
      assert.ok(scanner.scan(method.request, request('RespondWorkflowTaskCompleted', { commands })));
      checkClientEncryption(scanner, requiring, method);
    },
    (error) =>
      error instanceof Refusal &&
      error.message ===
        'this namespace requires client-side encryption, and the request holds plaintext: commands[1].complete_workflow_execution_command_attributes.result.payloads[1]' &&
      !`${error.message} ${error.detail}`.includes('canary'),
  );
  assert.equal(
    outcome('StartWorkflowExecution', { memo: { fields: { note: plain } } }),
    'refused memo.fields["note"]',
  );
  let failure: object = { message: 'a canary' };
  for (let depth = 0; depth < 90; depth += 1) failure = { cause: failure };
  const deep = outcome('RespondActivityTaskFailed', { failure });
  assert.match(deep, /^refused failure\.cause\.cause.*…$/);
  assert.ok(deep.length < 320);
});

test('T-071 an encoding that is missing, doubled, or only looks like the right one is plaintext', () => {
  const method = methodOf('StartWorkflowExecution');
  const entry = (key: string, value: string): Buffer =>
    field(1, field(1, Buffer.from(key)), field(2, Buffer.from(value)));
  const data = field(2, Buffer.from('a canary'));
  const start = (...parts: Buffer[]): string => check(requiring, method, field(5, field(1, ...parts)));
  assert.equal(start(entry('encoding', 'binary/encrypted'), data), '');
  assert.equal(start(data, entry('encoding', 'binary/encrypted')), '', 'in whatever order');
  const wrong = [
    [data],
    [entry('Encoding', 'binary/encrypted'), data],
    [entry('encoding', 'binary/encrypted '), data],
    [entry('encoding', 'BINARY/ENCRYPTED'), data],
    [entry('encoding', 'binary/encrypted'), entry('encoding', 'json/plain'), data],
    [entry('encoding', 'json/plain'), entry('encoding', 'binary/encrypted'), data],
    [entry('encoding', 'binary/encrypted'), entry('encoding', 'binary/encrypted'), data],
    [entry('encoding', ''), data],
    [entry('encoding', 'binary/null'), data],
    [entry('note', 'a canary')],
    [entry('encoding', 'a canary')],
    [entry('encoding', 'binary/null'), entry('note', 'a canary')],
    // A reference to data that lies elsewhere.
    [field(3, Buffer.from([8, 1]))],
  ];
  for (const [index, parts] of wrong.entries()) {
    assert.equal(start(...parts), 'refused input.payloads[0]', `case ${index}`);
  }
});

/** A length-delimited field with a one-byte tag and length. */
function field(number: number, ...content: Buffer[]): Buffer {
  const inner = Buffer.concat(content);
  assert.ok(inner.length < 128);
  return Buffer.concat([Buffer.from([number * 8 + 2, inner.length]), inner]);
}

test('what says nothing passes: an empty payload, a null, a deleted memo or search attribute', () => {
  const nothing = [{}, { metadata: { encoding: Buffer.from('binary/null') } }];
  for (const value of nothing)
    assert.equal(outcome('StartWorkflowExecution', { input: { payloads: [value] } }), '');
  const json = (data: string, more: object = {}): object => ({
    metadata: { encoding: Buffer.from('json/plain'), ...more },
    data: Buffer.from(data),
  });
  const memo = (value: object): string =>
    outcome('StartWorkflowExecution', { memo: { fields: { note: value } } });
  for (const value of [...nothing, json(''), json('[]')]) assert.equal(memo(value), '');
  assert.match(memo(json('[1]')), /^refused/);
  assert.match(memo(json('[]', { note: Buffer.from('a canary') })), /^refused/);
  const attribute = (value: object): string =>
    outcome('StartWorkflowExecution', { searchAttributes: { indexedFields: { Region: value } } });
  const type = { type: Buffer.from('Keyword') };
  for (const value of [...nothing, json(''), json('[]', type), json('null', type)])
    assert.equal(attribute(value), '');
  assert.match(attribute(json('"eu"', type)), /^refused search_attributes\.indexed_fields\["Region"\]$/);
  assert.match(attribute(json('null', { type: Buffer.from('x'.repeat(60)) })), /^refused/);
  // In any other place these are values.
  assert.match(outcome('StartWorkflowExecution', { input: { payloads: [json('[]')] } }), /^refused/);
});

test('T-071 a failure passes with its message hidden and its attributes encrypted, and not otherwise', () => {
  const failed = (failure: object): string => outcome('RespondActivityTaskFailed', { failure });
  const hidden = { message: 'Encoded failure', encodedAttributes: encrypted };
  assert.equal(failed(hidden), '');
  assert.equal(failed({ ...hidden, cause: hidden }), '');
  assert.equal(failed({ ...hidden, message: 'a canary' }), 'refused failure.message');
  assert.equal(failed({ ...hidden, message: 'Encoded failure ' }), 'refused failure.message');
  assert.equal(failed({ ...hidden, stackTrace: 'at canary' }), 'refused failure.stack_trace');
  assert.equal(failed({ ...hidden, encodedAttributes: plain }), 'refused failure.encoded_attributes');
  assert.equal(failed({ ...hidden, cause: { message: 'a canary' } }), 'refused failure.cause.message');
  const details = { case: 'applicationFailureInfo', value: { type: 'T', details: { payloads: [plain] } } };
  assert.equal(
    failed({ ...hidden, failureInfo: details }),
    'refused failure.application_failure_info.details.payloads[0]',
  );
});

test('what the SDKs write by themselves passes, in its own place alone', () => {
  const marker = (markerName: string, key: string, value: object = plain, allowed: string[] = []): string => {
    const attributes = {
      case: 'recordMarkerCommandAttributes',
      value: { markerName, details: { [key]: { payloads: [value] } } },
    };
    return outcome('RespondWorkflowTaskCompleted', { commands: [{ attributes }] }, ...allowed);
  };
  for (const [name, key] of [
    ['core_local_activity', 'data'],
    ['core_patch', 'patch-data'],
    ['LocalActivity', 'meta'],
    ['Version', 'changeId'],
    ['MutableSideEffect', 'id'],
  ] as const) {
    assert.equal(marker(name, key), '', name);
    assert.match(marker(name, 'result'), /^refused .*details\["result"\]\.payloads\[0\]$/, name);
  }
  assert.match(marker('SideEffect', 'data'), /^refused/);
  assert.match(marker('my-marker', 'data'), /^refused/);
  const attribute = (name: string): string =>
    outcome('StartWorkflowExecution', { searchAttributes: { indexedFields: { [name]: plain } } });
  assert.equal(attribute('TemporalChangeVersion'), '');
  assert.match(attribute('temporalChangeVersion'), /^refused/);
  // As the key of a memo it is a name like any other.
  assert.match(
    outcome('StartWorkflowExecution', { memo: { fields: { TemporalChangeVersion: plain } } }),
    /^refused/,
  );
  for (const { text, beginsIn } of sdkFailureTexts) {
    const failure = {
      message: beginsIn === undefined ? text : `${text}Activity machine does not handle this event`,
    };
    assert.equal(outcome('RespondWorkflowTaskFailed', { failure }), '', text);
    const elsewhere = outcome('RespondActivityTaskFailed', { failure });
    assert.equal(elsewhere, beginsIn === undefined ? '' : 'refused failure.message', text);
    assert.match(outcome('RespondWorkflowTaskFailed', { failure: { stackTrace: text } }), /^refused/);
  }
});

test('T-071 the text of a failed query is hidden like the message of a failure, or refused', () => {
  const answer = (errorMessage: string): string => outcome('RespondQueryTaskCompleted', { errorMessage });
  assert.equal(answer('Encoded failure'), '');
  assert.equal(answer('a canary'), 'refused error_message');
  assert.equal(answer('Activity timed out'), 'refused error_message');
  const queryResults = { 'id-1': { errorMessage: 'a canary' } };
  assert.equal(
    outcome('RespondWorkflowTaskCompleted', { queryResults }),
    'refused query_results["id-1"].error_message',
  );
});

test('T-071 a Nexus error of the older form is judged by the failure that its details hold', () => {
  const word = (text: string): string => Buffer.from(text).toString('base64');
  const attributes = (encoding: string): object => ({
    metadata: { encoding: word(encoding) },
    data: word('x'),
  });
  const error = (
    message: string,
    details: object | undefined,
    type = 'temporal.api.failure.v1.Failure',
  ): object => ({
    failure: {
      message,
      metadata: details === undefined ? {} : { type },
      details: Buffer.from(details === undefined ? '' : JSON.stringify(details)),
    },
  });
  const fully = { encodedAttributes: attributes('binary/encrypted'), applicationFailureInfo: { type: 'T' } };
  const sent = (failure: object): readonly string[] => [
    outcome('RespondNexusTaskFailed', { error: { errorType: 'INTERNAL', ...failure } }),
    outcome('RespondNexusTaskCompleted', {
      response: {
        variant: {
          case: 'startOperation',
          value: { variant: { case: 'operationError', value: { operationState: 'failed', ...failure } } },
        },
      },
    }),
  ];
  const refused = ['refused error', 'refused response.start_operation.operation_error'];
  assert.deepEqual(sent(error('Encoded failure', fully)), ['', '']);
  assert.deepEqual(
    sent(error('Encoded failure', { ...fully, cause: { ...fully, message: 'Encoded failure' } })),
    ['', ''],
  );
  assert.deepEqual(sent(error('', undefined)), ['', '']);
  assert.deepEqual(sent(error('a canary', fully)), refused);
  assert.deepEqual(sent(error('a canary', undefined)), refused);
  assert.deepEqual(sent(error('Encoded failure', { encodedAttributes: attributes('json/plain') })), refused);
  assert.deepEqual(sent(error('Encoded failure', { ...fully, cause: { message: 'a canary' } })), refused);
  assert.deepEqual(sent({ failure: { message: 'Encoded failure', stackTrace: 'at canary' } }), refused);
  assert.deepEqual(sent(error('Encoded failure', { a: 'canary' }, 'of.another.kind')), refused);
  const allowed = outcome('RespondNexusTaskFailed', { error: error('a canary', undefined) }, 'failure');
  assert.equal(allowed, '');
});
