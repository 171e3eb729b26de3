import { DATA_KEY_LIMITS } from '#base/crypto/data-key';
import { processNonces } from '#base/crypto/nonce-source';
import { createPayloadBoxes, type PayloadBoxes } from '#base/crypto/payload-boxes';
import { BOX_OVERHEAD_BYTES } from '#base/crypto/sealed-box';
import type { Clock } from '#base/runtime/clock';
import { quoteText } from '../quoted-text.ts';
import type { AuditDataKey, AuditDataKeys } from './audit-data-keys.ts';
import { createRecentTexts } from './recent-texts.ts';
import {
  type FieldText,
  fieldScope,
  isImpersonal,
  SEALED_FIELDS,
  SEALED_MARK,
  type SealedField,
} from './sealed-fields.ts';

/** Texts that are kept per field: 5 MiB each at most. Enough for as many connections that call in turn. */
const RECENT_MAX = 8_192;
/** A longer value was made up for one record, and is not met again. */
const RECENT_LENGTH_MAX = 160;

/** One for a chain and its writer. */
export interface FieldSealer {
  /** What writes the fields of a record that is made now: the same as long as its key is, which is for a period. */
  textNow(): FieldText;
}

/**
 * Writes fields sealed: `~` and a box in base64url.
 *
 * The peer and the credential of a connection are the same in all its records. Each value is sealed once, and
 * its text used again while it is recent: a warm connection costs a look into a Map per field. So equal texts
 * are equal values (also visible by the connection's id); different texts say nothing.
 */
export function createFieldSealer(chain: string, keys: AuditDataKeys, clock: Clock): FieldSealer {
  let current = keys.at(clock.now());
  let text = textWith(boxesOf(chain, current, clock));
  return {
    textNow() {
      const nowMs = clock.now();
      if (nowMs >= current.fromMs && nowMs < current.untilMs) return text;
      const key = keys.at(nowMs);
      if (key !== current) {
        current = key;
        text = textWith(boxesOf(chain, key, clock));
      }
      return text;
    },
  };
}

function textWith(boxes: PayloadBoxes<SealedField>): FieldText {
  const recent = {
    principal: createRecentTexts(RECENT_MAX),
    credential: createRecentTexts(RECENT_MAX),
    peer: createRecentTexts(RECENT_MAX),
    detail: createRecentTexts(RECENT_MAX),
  };
  return (field, value) => {
    if (value === '') return '""';
    const texts = recent[field];
    const known = texts.get(value);
    if (known !== undefined) return known;
    const quoted = quoteText(value);
    const written = isImpersonal(field, value) ? quoted : sealText(boxes, field, quoted);
    if (value.length <= RECENT_LENGTH_MAX) texts.set(value, written);
    return written;
  };
}

function boxesOf(chain: string, { id, key }: AuditDataKey, clock: Clock): PayloadBoxes<SealedField> {
  return createPayloadBoxes(new Map([[id, key]]), fieldScope(chain), SEALED_FIELDS, {
    clock,
    limits: DATA_KEY_LIMITS,
    openedKeysMax: 1,
    nonces: processNonces(),
  });
}

/** What is sealed is the text as it would stand in the line: it is bounded, and lone surrogates survive. */
function sealText(boxes: PayloadBoxes<SealedField>, field: SealedField, quoted: string): string {
  const plaintext = Buffer.from(quoted.slice(1, -1), 'latin1');
  const box = Buffer.allocUnsafe(plaintext.length + BOX_OVERHEAD_BYTES);
  boxes.seal(field, plaintext, box, 0);
  plaintext.fill(0);
  return `"${SEALED_MARK}${box.toString('base64url')}"`;
}
