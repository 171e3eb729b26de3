import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type House, startHouse } from '../../packages/gatehouse/src/testing/house.ts';
import { obtainGrpcurl } from '../parts/grpcurl.ts';
import { type ProgramOutcome, runProgram } from '../parts/run-program.ts';
import { houseTarget } from './house-target.ts';
import { refusedCalls } from './refused-calls.ts';

const SERVICE = 'temporal.api.workflowservice.v1.WorkflowService';

/** grpcurl in the command forms that Temporal Cloud gives for a private endpoint: no descriptor files. */
describe('the commands of a private endpoint', { concurrency: false }, () => {
  let house: House;
  let program: string;

  before(async () => {
    program = await obtainGrpcurl();
    house = await startHouse({ namespaces: ['other'] });
  });

  after(async () => await house?.close());

  const nameForms = ['-servername', '-authority'] as const;

  interface Who {
    readonly form?: (typeof nameForms)[number];
    /** Whose certificate: that of `default.local` unless given, none where null. */
    readonly certificateOf?: string | null;
  }
  const run = async (
    options: readonly string[],
    words: readonly string[],
    who: Who = {},
  ): Promise<ProgramOutcome> => {
    const { address, tls } = houseTarget(house);
    const { form = '-servername', certificateOf = 'default.local' } = who;
    const own = certificateOf === null ? undefined : houseTarget(house, certificateOf).tls;
    const credential = own === undefined ? [] : ['-cert', own.certificateFile, '-key', own.keyFile];
    const connection = ['-cacert', tls.caFile, ...credential, form, tls.serverName];
    return await runProgram(program, [...connection, ...options, address, ...words]);
  };
  const ok = async (options: readonly string[], words: readonly string[], who?: Who): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(options, words, who);
    assert.equal(exitCode, 0, `grpcurl ${words.join(' ')}\n${stderr}`);
    return stdout;
  };

  for (const form of nameForms) {
    test(`with ${form} grpcurl lists, describes and calls, and no call is refused`, async () => {
      const from = (await house.events()).length;
      const services = (await ok([], ['list'], { form })).trim().split('\n');
      assert.ok(services.includes(SERVICE), services.join());
      assert.match(await ok([], ['list', SERVICE], { form }), /\.CountWorkflowExecutions\n/);
      const described = await ok([], ['describe', `${SERVICE}.CountWorkflowExecutions`], { form });
      assert.match(described, /rpc CountWorkflowExecutions/);
      const info = JSON.parse(await ok([], [`${SERVICE}/GetSystemInfo`], { form }));
      assert.match(info.serverVersion, /^1\./);
      const question = ['-emit-defaults', '-d', '{"namespace":"default.local"}'];
      const counted = await ok(question, [`${SERVICE}/CountWorkflowExecutions`], { form });
      assert.equal(JSON.parse(counted).count, '0');
      assert.deepEqual(await refusedCalls(house, from), []);
    });
  }

  test('grpcurl describes messages as a person needs them who writes a request', async () => {
    const request = 'temporal.api.workflowservice.v1.StartWorkflowExecutionRequest';
    assert.match(await ok(['-msg-template'], ['describe', request]), /"workflowId": ""/);
    assert.match(await ok([], ['describe', 'temporal.api.common.v1.Payload']), /bytes data = 2/);
  });

  // A Go client keeps a certificate of a CA that the server does not name to itself: both come without one.
  for (const [threat, what, certificateOf] of [
    ['T-010', 'no certificate', null],
    ['T-011', "another namespace's certificate", 'other.local'],
  ] as const) {
    test(`${threat} with ${what} grpcurl gets no answer, not even a list`, async () => {
      const from = (await house.events()).length;
      for (const words of [['list'], [`${SERVICE}/GetSystemInfo`]]) {
        const { exitCode, stdout } = await run(['-connect-timeout', '2'], words, { certificateOf });
        assert.notEqual(exitCode, 0, words.join(' '));
        assert.equal(stdout, '');
      }
      const events = (await house.events()).slice(from);
      const kinds = new Set(events.map(({ kind, outcome }) => `${kind} ${outcome}`));
      assert.deepEqual(kinds, new Set(['connection refused']));
    });
  }
});
