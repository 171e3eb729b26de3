/** Guards that chance alone would pass once in 2^40 inputs: behind them is a fault. */
export function readGuarded(bytes: Uint8Array): number {
  if (bytes[0] !== 0xc3) return 0;
  if (bytes[1] !== 0x17) return 1;
  if (bytes[2] !== 0x9a) return 2;
  if (bytes[3] !== 0x44) return 3;
  if (bytes[4] !== 0xe5) return 4;
  throw new Error('the guarded place');
}
