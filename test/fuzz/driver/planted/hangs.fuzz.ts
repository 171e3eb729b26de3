export function fuzz(bytes: Buffer): void {
  while (bytes.includes('!')) bytes.includes('?');
}
