import type { KeyObject } from 'node:crypto';
import { DATA_KEY_LIMITS } from '#base/crypto/data-key';
import type { Kms } from '#base/crypto/kms';
import { processNonces } from '#base/crypto/nonce-source';
import { createPayloadBoxes, type PayloadBoxes } from '#base/crypto/payload-boxes';
import { isBox, keyIdIn } from '#base/crypto/sealed-box';
import { SealedFileError } from '#base/crypto/sealed-file';
import { systemClock } from '#base/runtime/clock';
import { listDataKeys, readDataKey } from './data-key-files.ts';
import {
  type ClosedReason,
  fieldScope,
  SEALED_FIELDS,
  SEALED_MARK,
  type SealedField,
} from './sealed-fields.ts';

/** Opens the fields of records, as far as keys are at hand. */
export interface FieldOpener {
  /** @param text what stands in the record, beginning with the mark. */
  open(chain: string, field: SealedField, text: string): OpenedField;
}

export type OpenedField = { readonly value: string } | { readonly closed: ClosedReason };

/** For whom no key is at hand. */
export const noKeys: FieldOpener = openerOf(new Map(), new Set());

/**
 * Reads the data keys of a home. One that does not open leaves its fields `sealed`.
 * @throws where the folder is there and cannot be read.
 */
export async function openFieldOpener(folder: string, kms: Kms): Promise<FieldOpener> {
  const keys = new Map<string, KeyObject>();
  const erased = new Set<string>();
  for (const file of await listDataKeys(folder)) {
    if (file.state === 'there') {
      const key = await readDataKey(folder, file, kms).catch((error: unknown) => {
        if (error instanceof SealedFileError) return undefined;
        throw error;
      });
      if (key !== undefined) keys.set(file.id, key);
    } else erased.add(file.id);
  }
  return openerOf(keys, erased);
}

/** @param keys by id. */
export function openerOf(keys: ReadonlyMap<string, KeyObject>, erased: ReadonlySet<string>): FieldOpener {
  const boxesByChain = new Map<string, PayloadBoxes<SealedField>>();
  const boxesOf = (chain: string): PayloadBoxes<SealedField> => {
    let boxes = boxesByChain.get(chain);
    if (boxes === undefined) {
      boxes = createPayloadBoxes(keys, fieldScope(chain), SEALED_FIELDS, {
        clock: systemClock,
        limits: DATA_KEY_LIMITS,
        // One for each hour of a process: those of a week of one process.
        openedKeysMax: 168,
        nonces: processNonces(),
      });
      boxesByChain.set(chain, boxes);
    }
    return boxes;
  };
  return {
    open(chain, field, text) {
      const box = parseBox(text);
      if (box === undefined) return { closed: 'unreadable' };
      const keyId = keyIdIn(box);
      if (erased.has(keyId)) return { closed: 'erased' };
      if (!keys.has(keyId)) return { closed: 'sealed' };
      const inner = boxesOf(chain).open(field, box);
      return inner === undefined
        ? { closed: 'unreadable' }
        : { value: JSON.parse(`"${inner.toString('latin1')}"`) as string };
    },
  };
}

/** One text for one box: what decodes alike and is written otherwise is not ours. */
function parseBox(text: string): Buffer | undefined {
  if (!text.startsWith(SEALED_MARK)) return undefined;
  const box = Buffer.from(text.slice(SEALED_MARK.length), 'base64url');
  return isBox(box) && `${SEALED_MARK}${box.toString('base64url')}` === text ? box : undefined;
}
