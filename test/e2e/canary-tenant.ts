import type { AttackSite } from '../../packages/gatehouse/src/testing/attack-site.ts';
import type { Canaries } from '../../packages/gatehouse/src/testing/canary.ts';
import type { RawAnswer } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { openTenant, type RawTenant, type Reply } from './raw-tenant.ts';

type Fields = Record<string, unknown>;

/** A payload as the converters of the SDKs write it. */
export interface TestPayload {
  readonly metadata: Readonly<Record<string, Uint8Array>>;
  readonly data: Uint8Array;
}

/** A tenant whose every word is a canary, and that keeps in mind which of them came back to it. */
export interface CanaryTenant extends RawTenant {
  /** A payload that says a new canary, in its data and in its metadata. */
  say(place: string): TestPayload;
  /** A new canary alone, for a text. */
  word(place: string): string;
  /** A list of one such payload. */
  input(place: string): { readonly payloads: readonly TestPayload[] };
  /** A memo or a header with one such payload. */
  map(place: string): { readonly fields: Readonly<Record<string, TestPayload>> };
  /** A failure with canaries in all of its words, and in those of its cause. */
  failure(place: string): Fields;
  /** Answers a workflow task. The answer must be accepted. */
  finish(task: Reply, commands?: readonly Fields[], more?: Fields): Promise<void>;
  /** Canaries that stood in any answer so far. */
  readonly heard: ReadonlySet<string>;
}

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

export function jsonPayload(value: unknown, metadata: Fields = {}): TestPayload {
  return { metadata: { encoding: bytesOf('json/plain'), ...metadata }, data: bytesOf(JSON.stringify(value)) };
}

export function openCanaryTenant(site: AttackSite, id: string, canaries: Canaries): CanaryTenant {
  const heard = new Set<string>();
  const listening: AttackSite = {
    ...site,
    open(...parameters) {
      const client = site.open(...parameters);
      return {
        ...client,
        async call(...request) {
          const answer = await client.call(...request);
          for (const canary of canariesOf(answer)) heard.add(canary);
          return answer;
        },
      };
    },
  };
  const say = (place: string): TestPayload =>
    jsonPayload(canaries.make(place), { note: bytesOf(canaries.make(`${place}, metadata`)) });
  const failure = (place: string, cause?: Fields): Fields => ({
    message: canaries.make(`${place}, message`),
    stackTrace: `Error\n  at ${canaries.make(`${place}, stack trace`)}`,
    encodedAttributes: say(`${place}, encoded attributes`),
    source: 'test',
    failureInfo: {
      case: 'applicationFailureInfo',
      value: { type: 'Refused', details: { payloads: [say(`${place}, details`)] } },
    },
    ...(cause === undefined ? {} : { cause }),
  });
  const tenant = openTenant(listening, id);
  return {
    ...tenant,
    say,
    word: (place) => canaries.make(place),
    map: (place) => ({ fields: { note: say(place) } }),
    async finish({ taskToken }, commands = [], more = {}) {
      await tenant.ask('RespondWorkflowTaskCompleted', { taskToken, identity: 'raw', commands, ...more });
    },
    input: (place) => ({ payloads: [say(place)] }),
    failure: (place) => failure(place, failure(`${place}, cause`)),
    heard,
  };
}

function canariesOf(answer: RawAnswer): readonly string[] {
  const details = Buffer.from(String(answer.headers['grpc-status-details-bin'] ?? ''), 'base64');
  const text = [Buffer.from(answer.body), details].map((bytes) => bytes.toString('latin1')).join('\n');
  return `${text}\n${answer.message}`.match(/Kanarienvogel-\d+-x/g) ?? [];
}

/** A command by its attributes; the number is that of enums.v1.CommandType. */
export function command(commandType: number, name: string, value: Fields, userMetadata?: Fields): Fields {
  const attributes = { case: `${name}CommandAttributes`, value };
  return { commandType, attributes, ...(userMetadata === undefined ? {} : { userMetadata }) };
}
