import {
  applicationFailure,
  bytes,
  byWorkflow,
  canceledFailure,
  echo,
  failure,
  handlerFailed,
  json,
  operationError,
  payload,
  started,
  typedNexusFailure,
} from './operation-answers.ts';
import type { Answer, Operation, OperationPair } from './operation-pair.ts';

type Fields = Record<string, unknown>;
type Word = OperationPair['word'];

/** A little less than the engine takes, with its seal or without. */
const LARGE_BYTES = 1_900_000;

const echoed = (name: string, say: (word: Word) => Fields): Operation => ({
  name: `echo ${name}`,
  input: ({ word }) => say(word),
  answers: [echo],
});
const answered = (name: string, ...answers: readonly Answer[]): Operation => ({ name, answers });
const typed = (name: string): Fields => ({ messageType: bytes(name) });

/** What the engine carries from one side to the other as it is, sealed or not. */
export const echoes: readonly Operation[] = [
  echoed('json', (word) => json({ said: word('json') })),
  echoed('bytes', (word) => payload('binary/plain', word('bytes'))),
  echoed('protobuf', (word) => payload('binary/protobuf', word('protobuf'), typed('a.B'))),
  echoed('protobuf as json', (word) => payload('json/protobuf', `{"a":"${word('json')}"}`, typed('a.B'))),
  echoed('encrypted', (word) => payload('binary/encrypted', word('text'), { 'key-id': bytes('k') })),
  echoed('null', () => payload('binary/null', '')),
  echoed('large', (word) => payload('binary/plain', `${word('large')}${'x'.repeat(LARGE_BYTES)}`)),
  answered('echo nothing', echo),
];

const twoFailures = (word: Word): Fields => applicationFailure(word, applicationFailure(word));
const handlerFailure = (word: Word): Fields => ({
  message: word('message'),
  stackTrace: word('stack trace'),
  encodedAttributes: json({ more: word('encoded attributes') }),
  failureInfo: { case: 'nexusHandlerFailureInfo', value: { type: 'BAD_REQUEST' } },
  cause: applicationFailure(word),
});

/** As today's SDKs answer. */
export const failing: readonly Operation[] = [
  answered('failed', failure(twoFailures)),
  answered('canceled', failure(canceledFailure)),
  answered(
    'handler failed',
    handlerFailed((word) => ({ failure: handlerFailure(word) })),
  ),
  {
    name: 'cancel refused',
    cancels: true,
    answers: [started, handlerFailed((word) => ({ failure: handlerFailure(word) }))],
  },
];

const untyped = (word: Word): Fields => ({
  message: word('message'),
  stackTrace: word('stack trace'),
  metadata: { kind: word('metadata'), another: 'x' },
  details: bytes(JSON.stringify({ said: word('details') })),
  cause: { message: word('cause'), details: bytes('[1]') },
});
const withDetails =
  (type: string, details: Fields) =>
  (word: Word): Fields => ({
    message: word('message'),
    metadata: { type },
    details: bytes(JSON.stringify(details)),
  });
const handlerError = (word: Word): Fields => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const data = base64(JSON.stringify(word('encoded attributes')));
  const attributes = JSON.stringify({ metadata: { encoding: base64('json/plain') }, data });
  const encodedAttributes = Buffer.from(attributes).toString('base64url');
  return withDetails('nexus.HandlerError', {
    type: 'NOT_FOUND',
    retryableOverride: false,
    encodedAttributes,
  })(word);
};

/** Every form that an older SDK, or a Nexus service of another kind, may give a failure. */
const olderFailures: Readonly<Record<string, (word: Word) => Fields>> = {
  message: (word) => ({ message: word('message') }),
  words: (word) => ({ message: word('message'), stackTrace: word('stack trace') }),
  nothing: () => ({}),
  details: (word) => ({ message: 'm', details: bytes(JSON.stringify([word('details'), 0.5])) }),
  untyped,
  typed: (word) => typedNexusFailure(twoFailures(word)),
  'typed with a cause': (word) => ({ ...typedNexusFailure(twoFailures(word)), cause: untyped(word) }),
  'typed canceled': (word) => typedNexusFailure(canceledFailure(word)),
  'handler error': handlerError,
  'operation error': withDetails('nexus.OperationError', { state: 'failed' }),
  'operation canceled': withDetails('nexus.OperationError', { state: 'canceled' }),
};

export const olderFailing: readonly Operation[] = Object.entries(olderFailures).flatMap(([name, told]) => {
  const error = (word: Word): Fields => ({ error: { errorType: 'BAD_REQUEST', failure: told(word) } });
  const ofOperation = [
    answered(`older failed ${name}`, operationError('failed', told)),
    answered(`older canceled ${name}`, operationError('canceled', told)),
  ];
  // An error of the handler that says to be one of its operation is told as such; nobody sends it.
  if (name.startsWith('operation')) return ofOperation;
  return [...ofOperation, answered(`older handler ${name}`, handlerFailed(error))];
});

/** Answers that arrive by the engine's own callback, when a workflow of the handler ends. */
export const byWorkflows: readonly Operation[] = [
  answered(
    'workflow result',
    byWorkflow(4, 'completeWorkflowExecution', (word) => ({ result: { payloads: [json(word('result'))] } })),
  ),
  answered(
    'workflow nothing',
    byWorkflow(4, 'completeWorkflowExecution', () => ({})),
  ),
  answered(
    'workflow failure',
    byWorkflow(5, 'failWorkflowExecution', (word) => ({ failure: twoFailures(word) })),
  ),
  answered(
    'workflow canceled',
    byWorkflow(7, 'cancelWorkflowExecution', (word) => ({ details: { payloads: [json(word('details'))] } })),
  ),
];
