import { Role } from '#base/proto/role';
import type { MessageScanner } from '#base/proto/scan-message';
import { messageRoles } from './field-role.ts';
import type { WalkedMention } from './walk-mentions.ts';

/** What a scanner found, in the form of a walk over the decoded message. */
export function scannedMentions(scanner: MessageScanner): WalkedMention[] {
  const found: WalkedMention[] = [];
  for (let mention = 0; mention < scanner.mentionCount; mention += 1) {
    const role = scanner.role(mention);
    found.push({ role, number: fieldNumber(scanner, mention), value: valueText(scanner, mention, role) });
  }
  return found;
}

function valueText(scanner: MessageScanner, mention: number, role: number): string {
  if (role !== Role.newer) return Buffer.from(scanner.content(mention)).toString('hex');
  // A decoder keeps everything after the tag of a field that it does not know.
  const { bytes } = scanner;
  let start = scanner.tagStart(mention);
  while ((bytes[start] ?? 0) >= 0x80) start += 1;
  return Buffer.from(bytes.subarray(start + 1, scanner.contentEnd(mention))).toString('hex');
}

function fieldNumber(scanner: MessageScanner, mention: number): number {
  let tag = 0;
  let pos = scanner.tagStart(mention);
  for (let scale = 1; ; scale *= 128) {
    const byte = scanner.bytes[pos++] ?? 0;
    tag += (byte & 0x7f) * scale;
    if (byte < 0x80) return Math.floor(tag / 8);
  }
}

/** A mention as one comparable word; the content of a message is compared by its own mentions. */
export function mentionKey(mention: WalkedMention): string {
  const value = messageRoles.has(mention.role) ? 'message' : mention.value;
  return `${mention.role}:${mention.number}:${value}`;
}
