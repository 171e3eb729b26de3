export function fuzz(bytes: Buffer): void {
  const hoard: number[][] = [];
  while (bytes.includes('!')) hoard.push(new Array<number>(4_000_000).fill(hoard.length + 0.5));
}
