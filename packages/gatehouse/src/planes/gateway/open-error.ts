import { refuse } from '#base/model/refusals';
import { MessageScanner } from '#base/proto/scan-message';
import { spliceFrame } from '#base/proto/splice-message';
import { responseTables, statusTable } from '#base/proto/wire-tables';
import { PREFIX_BYTES } from '#base/wire/grpc-message';
import { type OpenRules, openBox, openMessage } from '#core/sealing/open-message';
import { SEALED_ENCODING } from '#core/sealing/sealed-payload';
import { openText } from '#core/sealing/sealed-text';
import type { EngineReply } from './relay.ts';

const scanner = new MessageScanner(responseTables, { reply: true });

/**
 * An error with the words of the caller's own Workers opened: the text of a failed query, and the failures in
 * the details of it and of several operations in one call.
 * @throws Refusal `payload_unreadable`, KeyNotLoaded
 */
export function openError(reply: EngineReply, rules: OpenRules): EngineReply {
  const message = openText(reply.message, (box) => openBox(rules, 'text', box, false).toString('utf8'));
  const details = reply.details === undefined ? undefined : openDetails(reply.details, rules);
  return message === reply.message && details === reply.details ? reply : { ...reply, message, details };
}

/** @param details a google.rpc.Status in base64. */
function openDetails(details: string, rules: OpenRules): string {
  const bytes = Buffer.from(details, 'base64');
  const hasText = bytes.includes('gatehouse.sealed.');
  if (!hasText && !bytes.includes(SEALED_ENCODING)) return details;
  if (statusTable === undefined || !scanner.scan(statusTable, bytes)) {
    throw refuse('payload_unreadable', { detail: `error details not understood at ${scanner.faultAt}` });
  }
  // The texts of a status are those of the answer, which SDKs read there too.
  const edits = openMessage(scanner, { ...rules, strict: false });
  const opened = edits.length === 0 ? bytes : spliceFrame(scanner, edits).subarray(PREFIX_BYTES);
  return opened.toString('base64').replace(/=+$/, '');
}
