import { ByteSource } from '#testing/fuzz/byte-source';
import { fixedKeyring } from '#testing/fuzz/fixed-keys';
import { ATTRIBUTE_VALUE_BYTES_MAX, parseSealedAttribute } from './sealed-attribute.ts';

const TEXT_CHARS_MAX = 255;
const keyring = fixedKeyring('a');

/** One value, one text: what opens is what sealing that value gives, and a value that fits opens again. */
export function fuzz(bytes: Buffer): void {
  const source = new ByteSource(bytes);
  const name = source.piece().toString('utf8');
  const value = source.piece().toString('utf8');
  const text = source.rest().toString('latin1');
  const box = parseSealedAttribute(text);
  if (box !== undefined && `gh1.${box.toString('base64url')}` !== text)
    throw new Error('two texts for one box');
  const opened = keyring.openAttribute(name, text);
  if (opened !== undefined && keyring.sealAttribute(name, opened) !== text)
    throw new Error('two texts for one value');
  const sealed = keyring.sealAttribute(name, value);
  const fits = Buffer.byteLength(value) <= ATTRIBUTE_VALUE_BYTES_MAX;
  if (fits !== (sealed !== undefined))
    throw new Error(`a value of ${Buffer.byteLength(value)} bytes: ${sealed}`);
  if (sealed === undefined) return;
  if (sealed.length > TEXT_CHARS_MAX) throw new Error(`${sealed.length} characters`);
  if (keyring.openAttribute(name, sealed) !== value.toWellFormed())
    throw new Error('another value comes back');
  if (keyring.openAttribute(`${name}.`, sealed) !== undefined) throw new Error('it opens under another name');
}

export function* seeds(): Generator<Uint8Array> {
  const sealed = keyring.sealAttribute('Customer', 'Ann') ?? '';
  yield Buffer.concat([Buffer.from('\x08Customer\x03Ann'), Buffer.from(sealed)]);
  yield Buffer.concat([Buffer.from('\x01a\x98', 'latin1'), Buffer.alloc(152, 'v')]);
  yield Buffer.concat([Buffer.from('\x01a\x99', 'latin1'), Buffer.alloc(153, 'v')]);
}
