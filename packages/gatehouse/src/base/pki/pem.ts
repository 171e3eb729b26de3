/** One `-----BEGIN label-----` block (RFC 7468). `der` is null where the body is not strict base64. */
export interface PemBlock {
  readonly label: string;
  readonly der: Buffer | null;
}

export interface PemText {
  readonly blocks: readonly PemBlock[];
  /** What stands after the last block, without white space around it. */
  readonly trailing: string;
}

const BEGIN = '-----BEGIN ';
const DASHES = '-----';

/**
 * Finds the blocks of a PEM text, in time linear in its length. Text before a block (comments, OpenSSL's own
 * print of a certificate) is passed over, as Go's decoder does; a block without end has a null body. Never throws.
 */
export function readPem(text: string): PemText {
  const blocks: PemBlock[] = [];
  let offset = 0;
  for (;;) {
    const begin = text.indexOf(BEGIN, offset);
    if (begin === -1) return { blocks, trailing: text.slice(offset).trim() };
    const labelStart = begin + BEGIN.length;
    const labelEnd = text.indexOf(DASHES, labelStart);
    const label = labelEnd === -1 ? '' : text.slice(labelStart, labelEnd);
    const endMark = `-----END ${label}${DASHES}`;
    const end = labelEnd === -1 ? -1 : text.indexOf(endMark, labelEnd + DASHES.length);
    if (end === -1) return { blocks: [...blocks, { label, der: null }], trailing: '' };
    blocks.push({ label, der: decodeBody(text.slice(labelEnd + DASHES.length, end)) });
    offset = end + endMark.length;
  }
}

/** One PEM block with lines of 64 characters, ending in a line break. */
export function writePem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `${BEGIN}${label}${DASHES}\n${lines.join('\n')}\n-----END ${label}${DASHES}\n`;
}

/** Node drops what is not base64; here such bytes would be two readings of one text, so they are refused. */
function decodeBody(body: string): Buffer | null {
  const base64 = body.replace(/\s+/g, '');
  const der = Buffer.from(base64, 'base64');
  return der.toString('base64') === base64 && der.length > 0 ? der : null;
}
