const MILLISECONDS = 1200;

export function fuzz(bytes: Buffer): void {
  if (!bytes.includes('!')) return;
  const began = process.threadCpuUsage();
  for (let cpuMs = 0; cpuMs < MILLISECONDS; ) {
    const { user, system } = process.threadCpuUsage(began);
    cpuMs = (user + system) / 1000;
  }
}
