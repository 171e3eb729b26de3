import type { AuditWriter, AuditWriterOptions } from '../packages/gatehouse/src/core/audit/audit-writer.ts';

/** In the place of the audit writer, for `without-record.ts` only. */
export async function openAuditWriter({ dataKeys }: AuditWriterOptions): Promise<AuditWriter> {
  return {
    append: () => undefined,
    appendStrict: async () => undefined,
    writable: () => true,
    flush: async () => undefined,
    close: () => dataKeys.close(),
    stats: () => ({
      seq: 0,
      segment: 0,
      queuedRecords: 0,
      queuedBytes: 0,
      commits: 0,
      failures: 0,
      failing: undefined,
      checkpoints: 0,
    }),
  };
}
