import { create, type DescField, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import type { NamespaceKeyring, SealedKind } from '#base/crypto/namespace-keyring';
import { messageType } from '#base/proto/api-registry';
import { writeFailureWords } from '#core/sealing/sealed-failure';
import { isPayload } from './field-role.ts';

const PAYLOAD = 'temporal.api.common.v1.Payload';
const HISTORY = 'temporal.api.history.v1.History';

/** A Payload as tests read and write it. */
export interface PayloadMessage extends Message {
  metadata: Record<string, Uint8Array>;
  data: Uint8Array;
}

interface FailureMessage extends Message {
  message: string;
  stackTrace: string;
  encodedAttributes: PayloadMessage | undefined;
}

export interface SealByHand {
  readonly keyring: NamespaceKeyring;
  /** Payload fields that stay open, as `message.field` without `temporal.api.`. */
  readonly open: ReadonlySet<string>;
  readonly sealedAttributes: readonly string[];
}

/**
 * Seals a whole message in place, over its decoded form and by the words of docs/encryption.md alone: a second
 * opinion on what the gateway writes. Texts that are no part of a failure are left.
 */
export function sealByHand(message: ReflectMessage, how: SealByHand): void {
  const name = message.desc.typeName.replace('temporal.api.', '');
  for (const field of message.sortedFields) {
    if (!message.isSet(field) || field.message === undefined) continue;
    if (isPayload(field)) {
      if (!how.open.has(`${name}.${field.name}`)) sealField(message, field, how);
    } else if (field.fieldKind === 'list') {
      for (const item of message.get(field)) descend(item as ReflectMessage, how);
    } else if (field.fieldKind === 'map') {
      for (const item of message.get(field).values()) descend(item as ReflectMessage, how);
    } else descend(message.get(field) as ReflectMessage, how);
  }
  if (name === 'failure.v1.Failure') sealFailure(message.message as FailureMessage, how.keyring);
  if (name === 'common.v1.DataBlob') sealBlob(message.message as unknown as { data: Uint8Array }, how);
}

function descend(message: ReflectMessage, how: SealByHand): void {
  if (message.desc.typeName !== AnySchema.typeName) return sealByHand(message, how);
  const any = message.message as Any;
  if (any.typeUrl === '') return undefined;
  const desc = messageType(any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1));
  const inner = fromBinary(desc, any.value);
  sealByHand(reflect(desc, inner), how);
  any.value = toBinary(desc, inner);
  return undefined;
}

function sealBlob(blob: { data: Uint8Array }, how: SealByHand): void {
  const desc = messageType(HISTORY);
  const history = fromBinary(desc, blob.data);
  sealByHand(reflect(desc, history), how);
  blob.data = toBinary(desc, history);
}

function sealField(owner: ReflectMessage, field: DescField, how: SealByHand): void {
  const isFailure = owner.desc.name === 'Failure' && field.name === 'encoded_attributes';
  const isAttribute = owner.desc.name === 'SearchAttributes' && field.name === 'indexed_fields';
  if (isFailure) return;
  const sealOne = (value: unknown): ReflectMessage =>
    reflect(messageType(PAYLOAD), sealed(how.keyring, 'payload', (value as ReflectMessage).message));
  if (field.fieldKind === 'list') {
    const list = owner.get(field);
    for (const [index, item] of [...list].entries()) list.set(index, sealOne(item));
  } else if (field.fieldKind === 'map') {
    const map = owner.get(field);
    for (const [key, item] of [...map]) {
      if (!isAttribute) map.set(key, sealOne(item));
      else if (how.sealedAttributes.includes(String(key))) sealAttribute(how.keyring, String(key), item);
    }
  } else owner.set(field, sealOne(owner.get(field)));
}

function sealAttribute(keyring: NamespaceKeyring, name: string, item: unknown): void {
  const payload = (item as ReflectMessage).message as PayloadMessage;
  const value = JSON.parse(Buffer.from(payload.data).toString('utf8')) as string | string[];
  const sealOne = (text: string): string | undefined => keyring.sealAttribute(name, text);
  const text = Array.isArray(value) ? value.map(sealOne) : sealOne(value);
  payload.data = new Uint8Array(Buffer.from(JSON.stringify(text)));
}

function sealFailure(failure: FailureMessage, keyring: NamespaceKeyring): void {
  const { message, stackTrace, encodedAttributes } = failure;
  if (message === '' && stackTrace === '' && encodedAttributes === undefined) return;
  const attributes = encodedAttributes && toBinary(messageType(PAYLOAD), encodedAttributes);
  const box = boxOf(keyring, 'failure', writeFailureWords({ message, stackTrace, attributes }));
  failure.message = 'Encoded failure';
  failure.stackTrace = '';
  failure.encodedAttributes = payloadAround(box);
}

function sealed(keyring: NamespaceKeyring, kind: SealedKind, payload: Message): PayloadMessage {
  return payloadAround(boxOf(keyring, kind, toBinary(messageType(PAYLOAD), payload)));
}

/** The sealed form of any bytes, as it stands in the `data` of a sealed payload. */
export function boxOf(keyring: NamespaceKeyring, kind: SealedKind, plaintext: Uint8Array): Buffer {
  const box = Buffer.alloc(keyring.sealedLength(plaintext.length));
  keyring.sealInto(kind, plaintext, box, 0);
  return box;
}

/** The sealed payload that holds this box. */
export function payloadAround(box: Uint8Array): PayloadMessage {
  const encoding = new Uint8Array(Buffer.from('binary/gatehouse'));
  return create(messageType(PAYLOAD), {
    metadata: { encoding },
    data: new Uint8Array(box),
  }) as PayloadMessage;
}
