import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePlaintextWord, plaintextRules } from './plaintext-rules.ts';

test('words are a kind, a kind with a name, or a path as refusals print it', () => {
  assert.deepEqual(parsePlaintextWord('header'), { kind: 'header' });
  assert.deepEqual(parsePlaintextWord('header:x:y'), { kind: 'header', name: 'x:y' });
  assert.deepEqual(parsePlaintextWord('failure'), { kind: 'failure' });
  assert.deepEqual(parsePlaintextWord('encoding:binary/zip'), { kind: 'encoding', name: 'binary/zip' });
  assert.deepEqual(parsePlaintextWord('path:commands[3].user_metadata.summary'), {
    kind: 'path',
    fields: ['commands', 'user_metadata', 'summary'],
  });
  assert.deepEqual(parsePlaintextWord('path:Poll.messages[0].body[update.v1.Rejection].failure'), {
    kind: 'path',
    method: 'Poll',
    fields: ['messages', 'body', 'failure'],
  });
  assert.deepEqual(parsePlaintextWord('path:memo.fields["a]b.c"]'), {
    kind: 'path',
    fields: ['memo', 'fields'],
  });
});

test('a word that is not understood is none: misspelled kinds, empty names, paths that end in the air', () => {
  const wrong = [
    '',
    ':',
    'headers',
    'Header',
    'header:',
    'failure:x',
    'summary:x',
    'query-error:',
    'encoding',
  ];
  const paths = [
    'path',
    'path:',
    'path:.',
    'path:input.',
    'path:.input',
    'path:StartWorkflowExecution',
    'path:a b',
  ];
  for (const word of [...wrong, ...paths, '*', 'input'])
    assert.equal(parsePlaintextWord(word), undefined, word);
  assert.deepEqual(plaintextRules([...wrong, ...paths]).words, []);
});

test('T-071 no word can make plain JSON, or what the platform seals, count as encrypted', () => {
  for (const name of ['json/plain', 'json/protobuf', 'binary/plain', 'binary/null', 'binary/gatehouse']) {
    assert.equal(parsePlaintextWord(`encoding:${name}`), undefined, name);
  }
  assert.deepEqual(
    [...plaintextRules(['encoding:json/plain', 'encoding:binary/my-codec']).encodings],
    ['binary/encrypted', 'binary/my-codec'],
  );
});
