const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * What an address counts as. IPv4 is itself, also where it is written inside IPv6; of IPv6 it is the /64, since
 * that is the least that one customer has, and chooses from freely (RFC 6177).
 */
export function sourceKeyOf(address: string): string {
  const mapped = MAPPED.exec(address);
  if (mapped !== null) return mapped[1] ?? '';
  if (!address.includes(':')) return address;
  const [bare = ''] = address.split('%');
  const [left = '', right] = bare.split('::');
  const first = groupsOf(left);
  const last = right === undefined ? [] : groupsOf(right);
  const zeros = Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
  const network = [...first, ...zeros, ...last].slice(0, 4);
  return `${network.map((group) => group.replace(/^0+(?=.)/, '').toLowerCase()).join(':')}::/64`;
}

/** An IPv4 address at the end stands for two groups, which no network begins with. */
function groupsOf(text: string): string[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group]));
}
