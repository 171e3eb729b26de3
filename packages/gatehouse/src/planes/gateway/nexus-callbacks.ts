import type { TokenKeyring } from '#base/crypto/token-keyring';
import { refuse } from '#base/model/refusals';
import { Role } from '#base/proto/role';
import type { MessageScanner } from '#base/proto/scan-message';
import { cutMention, type Edit, replaceMention, varintBytes, writeVarint } from '#base/proto/splice-message';
import { openCallbackToken, sealCallbackToken } from '#core/tokens/callback-token';
import { readText } from './flat-message.ts';

/** The engine's word for itself in callbacks, compared as the engine does, byte for byte. */
const SYSTEM_URL = 'temporal://system';
const TOKEN_HEADER = 'temporal-callback-token';
/** Names the engine's cluster, to choose where a callback goes: nothing that a tenant needs (CVE-2026-87858). */
const SOURCE_HEADER = 'source';

/** Whose tokens a callback may hold. */
export interface CallbackScope {
  readonly tokenKeys: TokenKeyring;
  readonly namespaceUuid: string;
}

/**
 * The edits that make a completion callback of a request one that the engine may have: its address is the
 * engine's own, its token one that was sealed for this namespace, and nothing stands beside it (T-045).
 * @param mention a callback; those inside it follow.
 * @throws Refusal `callback_refused` for every other callback.
 */
export function admitCallback(scanner: MessageScanner, mention: number, scope: CallbackScope): Edit[] {
  const edits: Edit[] = [];
  const tokens: number[] = [];
  let url: string | undefined;
  const end = scanner.contentEnd(mention);
  for (let inner = mention + 1; inner < scanner.mentionCount; inner += 1) {
    if (scanner.tagStart(inner) >= end) break;
    if (scanner.role(inner) === Role.callbackUrl) url = scanner.text(inner);
    if (scanner.role(inner) !== Role.callbackHeader) continue;
    if (isToken(headerName(scanner, inner))) tokens.push(inner);
    else edits.push(cutMention(scanner, inner));
  }
  if (url !== SYSTEM_URL) throw refuse('callback_refused', { detail: 'not an address of this gateway' });
  const [token] = tokens;
  if (token === undefined || tokens.length > 1) {
    throw refuse('callback_refused', { detail: `${tokens.length} tokens where one is due` });
  }
  const opened = openCallbackToken(scope.tokenKeys, scope.namespaceUuid, headerValue(scanner, token));
  if (opened === undefined) {
    throw refuse('callback_refused', { detail: 'a token that is not of this namespace, or too old' });
  }
  edits.push(replaceMention(scanner, token, headerEntry(TOKEN_HEADER, opened)));
  return edits;
}

/** What becomes of a callback's header in a reply: the engine's token leaves sealed, never as it is (T-045). */
export function sealCallbackHeader(
  scanner: MessageScanner,
  mention: number,
  scope: CallbackScope,
): Edit | undefined {
  const name = headerName(scanner, mention);
  if (name.toLowerCase() === SOURCE_HEADER) return cutMention(scanner, mention);
  if (!isToken(name)) return undefined;
  const sealed = sealCallbackToken(scope.tokenKeys, scope.namespaceUuid, headerValue(scanner, mention));
  return replaceMention(scanner, mention, headerEntry(name, sealed));
}

function isToken(name: string): boolean {
  return name.toLowerCase() === TOKEN_HEADER;
}

function headerName(scanner: MessageScanner, mention: number): string {
  return readText(scanner.content(mention), 1);
}

function headerValue(scanner: MessageScanner, mention: number): string {
  return readText(scanner.content(mention), 2);
}

/** The entry of a `map<string, string>`: `key` = 1, `value` = 2. */
function headerEntry(name: string, value: string): Uint8Array {
  return Buffer.concat([textField(1, name), textField(2, value)]);
}

function textField(number: number, text: string): Uint8Array {
  const content = Buffer.from(text, 'utf8');
  const head = new Uint8Array(1 + varintBytes(content.length));
  head[0] = number * 8 + 2;
  writeVarint(head, 1, content.length);
  return Buffer.concat([head, content]);
}
