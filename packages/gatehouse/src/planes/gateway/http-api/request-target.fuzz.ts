import { unlessRefused } from '#testing/fuzz/unless-refused';
import { findHttpRoute } from './http-routes.ts';
import { parseRequestTarget } from './request-target.ts';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH'];

/** No segment could be read as another path, and what was read, encoded again, reads the same (T-023). */
export function fuzz(bytes: Buffer): void {
  const target = bytes.toString('latin1');
  const read = unlessRefused(() => parseRequestTarget(target), 'input_invalid');
  if (read === undefined) return;
  for (const segment of read.segments) {
    if (segment === '' || segment === '.' || segment === '..' || segment.includes('/'))
      throw new Error(`a segment ${JSON.stringify(segment)}`);
    for (const character of segment) if (character < ' ') throw new Error('a control character');
  }
  const path = read.segments.map(encodeURIComponent).join('/');
  const query = read.query.map((pair) => pair.map(encodeURIComponent).join('=')).join('&');
  const again = parseRequestTarget(`/${path}?${query}`);
  if (JSON.stringify(again) !== JSON.stringify(read))
    throw new Error(`${JSON.stringify(read)} reads in two ways`);
  for (const method of METHODS) {
    const found = findHttpRoute(method, read.segments);
    if (typeof found !== 'object') continue;
    for (const { value } of found.values)
      if (!read.segments.includes(value)) throw new Error('a value that is no segment');
  }
}

export function seeds(): string[] {
  return [
    '/api/v1/namespaces/orders/workflows/w%20x?query=a+b&pretty',
    '/cluster-info',
    '/api/v1/namespaces/%2e%2e/workflows',
    '/a%2fb',
    '/a%00?x=%zz&=&a=%C3%A9',
    '//',
  ];
}
