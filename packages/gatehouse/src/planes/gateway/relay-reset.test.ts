import assert from 'node:assert/strict';
import { constants } from 'node:http2';
import { after, before, test } from 'node:test';
import { setTimeout as timer } from 'node:timers/promises';
import { encode, type RawAnswer, WORKFLOW_SERVICE } from '#testing/grpc-client';
import { type ScriptedSite, startScriptedSite, TENANT } from '#testing/scripted-site';

const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;
const resetAfterHead = constants.NGHTTP2_CANCEL;
let site: ScriptedSite;

before(async () => {
  site = await startScriptedSite();
});
after(() => site?.close());

function count(timeoutMs: number): Promise<RawAnswer> {
  const request = encode('workflowservice.v1.CountWorkflowExecutionsRequest', { namespace: TENANT });
  return site.open(TENANT).call(`${WORKFLOW_SERVICE}CountWorkflowExecutions`, request, { timeoutMs });
}

test('F-02 an engine that has begun its answer when the deadline passes makes it DEADLINE_EXCEEDED', async () => {
  const timeoutMs = 400;
  site.engine.answer = async () => {
    // As the engine's own server does: at the deadline of the call, and not before.
    await timer(timeoutMs);
    return { resetAfterHead };
  };
  assert.equal((await count(timeoutMs)).status, DEADLINE_EXCEEDED);
});

test('F-01 an answer that is cut long before its deadline is UNAVAILABLE, so that it is tried again', async () => {
  site.engine.answer = () => ({ resetAfterHead });
  assert.equal((await count(60_000)).status, UNAVAILABLE);
});
