import { homeAt } from '../packages/gatehouse/src/app/home.ts';
import { openLocalKms } from '../packages/gatehouse/src/base/crypto/local-kms.ts';
import type { AuditEvent } from '../packages/gatehouse/src/base/model/audit-event.ts';
import { systemClock } from '../packages/gatehouse/src/base/runtime/clock.ts';
import { silentLog } from '../packages/gatehouse/src/base/runtime/log.ts';
import { openAuditSigningKey } from '../packages/gatehouse/src/core/audit/audit-signing-key.ts';
import { openAuditWriter } from '../packages/gatehouse/src/core/audit/audit-writer.ts';
import { openAuditDataKeys } from '../packages/gatehouse/src/core/audit/fields/audit-data-keys.ts';

/** Records given to the writer before it is waited for: it holds 32 MiB at most. */
const BATCH = 10_000;

/** Adds `count` records of calls to the chain of a home that nobody runs on, by the platform's own writer and keys. */
export async function fillChain(root: string, count: number): Promise<void> {
  const home = homeAt(root);
  const kms = await openLocalKms(home.kmsKeyFile);
  const common = { clock: systemClock, log: silentLog };
  const writer = await openAuditWriter({
    ...common,
    folder: home.audit,
    signingKey: await openAuditSigningKey(home.auditKeyFile, kms),
    dataKeys: await openAuditDataKeys({ ...common, folder: home.auditDataKeys, kms }),
  });
  try {
    for (let number = 0; number < count; number += 1) {
      writer.append(callEvent(number));
      if (number % BATCH === 0) await writer.flush();
    }
  } finally {
    await writer.close();
  }
}

/** A call as the gateway records it. */
function callEvent(number: number): AuditEvent {
  const tail = String(number).padStart(12, '0');
  const client = number % 500;
  return {
    kind: 'call',
    timeMs: systemClock.now(),
    requestId: `0190f7a2-0000-7000-8000-${tail}`,
    connectionId: `0190f7a2-0000-7000-9000-${String(client).padStart(12, '0')}`,
    principal: `certificate:${String(client).padStart(64, '0')}`,
    credential: `CN=orders CA ${client % 7} ${String(client).padStart(16, '0')}`,
    namespace: 'default.local',
    method: 'temporal.api.workflowservice.v1.WorkflowService/SignalWorkflowExecution',
    outcome: 'ok',
    status: 0,
    reason: 'ok',
    severity: 'low',
    peer: `10.1.0.${client % 250}:${40_000 + client}`,
    endpoint: '',
    durationMs: 1.25,
    count: 1,
    detail: '',
  };
}
