const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * The address of a KMS, without a slash at its end. It becomes part of the key's name, so nothing secret may
 * stand in it, and keys travel over it, so it is https, or http to this machine.
 * @param setting named in the error.
 */
export function serviceAddress(setting: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw new Error(`${setting} is not a URL: write https://host`);
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new Error(`${setting} must be a plain address, without user, password, query or fragment`);
  }
  const isSafe = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname));
  if (!isSafe) throw new Error(`${setting} must begin with https:// (http:// only to this machine)`);
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}
