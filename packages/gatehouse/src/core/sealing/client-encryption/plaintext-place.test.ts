import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, encrypted, methodOf, namespace, outcome, plain, request } from './check-fixture.test.ts';

test('a report names the first place, counts the others and says which word would allow it', () => {
  const message = request('StartWorkflowExecution', {
    input: { payloads: [plain, encrypted] },
    header: { fields: { '_tracer-data': plain, ok: encrypted } },
    memo: { fields: { note: plain } },
  });
  const method = methodOf('StartWorkflowExecution');
  assert.equal(
    check(namespace('report'), method, message),
    'plaintext at input.payloads[0] and 2 more; `path:StartWorkflowExecution.input.payloads` in plaintextAllowed would let it pass',
  );
  const rest = namespace('report', 'path:StartWorkflowExecution.input.payloads');
  assert.equal(
    check(rest, method, message),
    'plaintext at memo.fields["note"] and 1 more; `memo:note` in plaintextAllowed would let it pass',
  );
});

/** A request with plaintext at one place, the words that allow it, and words that do not. */
const allowances: readonly (readonly [
  string,
  Record<string, unknown>,
  readonly string[],
  readonly string[],
])[] = [
  [
    'StartWorkflowExecution',
    { header: { fields: { '_tracer-data': plain } } },
    ['header', 'header:_tracer-data', 'path:header', 'path:StartWorkflowExecution.header.fields'],
    ['header:other', 'memo', 'path:headers', 'path:SignalWorkflowExecution.header', 'path:fields', 'HEADER'],
  ],
  [
    'StartWorkflowExecution',
    { memo: { fields: { note: plain } } },
    ['memo', 'memo:note'],
    ['memo:Note', 'header', 'header:note', 'attribute:note'],
  ],
  [
    'StartWorkflowExecution',
    { searchAttributes: { indexedFields: { Region: plain } } },
    ['attribute', 'attribute:Region', 'path:search_attributes.indexed_fields["Region"]'],
    ['attribute:Regio', 'memo:Region', 'path:search_attribute'],
  ],
  [
    'StartWorkflowExecution',
    { userMetadata: { summary: plain, details: plain } },
    ['summary', 'path:user_metadata'],
    ['path:user_metadata.summary', 'header', 'memo'],
  ],
  [
    'RespondWorkflowTaskCompleted',
    {
      commands: [
        {
          attributes: {
            case: 'recordMarkerCommandAttributes',
            value: {
              markerName: 'LocalActivity',
              details: { input: { payloads: [plain] } },
              header: { fields: { trace: plain } },
              failure: { message: 'a canary', stackTrace: 'at canary' },
            },
          },
        },
      ],
    },
    ['marker', 'marker:LocalActivity', 'path:commands[0].record_marker_command_attributes'],
    ['marker:Version', 'failure', 'header', 'path:commands[0].record_marker_command_attributes.details'],
  ],
  [
    'RespondActivityTaskFailed',
    { failure: { message: 'a canary', stackTrace: 'at canary', encodedAttributes: plain } },
    ['failure', 'path:failure'],
    ['path:failure.message', 'marker', 'query-error'],
  ],
  [
    'RespondQueryTaskCompleted',
    { errorMessage: 'a canary' },
    ['query-error', 'path:error_message'],
    ['failure'],
  ],
  [
    'SignalWorkflowExecution',
    { input: { payloads: [{ ...plain, metadata: { encoding: Buffer.from('binary/my-codec') } }] } },
    ['encoding:binary/my-codec', 'path:SignalWorkflowExecution.input'],
    ['encoding:binary/my', 'encoding:', 'encoding', 'input', 'path:', 'path:SignalWorkflowExecution'],
  ],
];

test('each word of plaintextAllowed lets its own places pass and no other', () => {
  for (const [method, fields, enough, tooLittle] of allowances) {
    assert.match(outcome(method, fields), /^refused/);
    for (const word of enough) assert.equal(outcome(method, fields, word), '', word);
    for (const word of tooLittle) assert.match(outcome(method, fields, word), /^refused/, word);
    assert.equal(outcome(method, fields, ...tooLittle, enough[0] ?? ''), '');
  }
});

test('the word that a record names lets the place pass', () => {
  for (const [method, fields] of allowances) {
    const words: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      const said = check(namespace('report', ...words), methodOf(method), request(method, fields));
      if (said === '') break;
      words.push(/`(.*)`/.exec(said)?.[1] ?? assert.fail(said));
    }
    assert.equal(outcome(method, fields, ...words), '', words.join(' '));
  }
});
