import { createHash, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { cleanEnv } from './clean-env.ts';

/** Where the packages of Debian, Ubuntu, Fedora, Alpine and macOS put it. */
const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
/** Longer than a page of the tests takes to show something on a busy machine. */
const SHOWN_MS = 15_000;

/** Chromium, without a window. */
export interface Browser {
  /**
   * A tab of a person of its own: no cookies, nothing stored. Closed when the work is done; the first work that fails
   * leaves a picture of its page in the system's temporary folder.
   */
  visit<T>(work: (page: Page) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Why a machine has no browser for tests; false where it has, and in CI, which must. */
export function browserObstacle(): string | false {
  if (process.env['CI'] === 'true' || findChromium() !== undefined) return false;
  return 'needs Chromium: apt-get install chromium, or the like of it elsewhere';
}

/** @param trusted the certificates (PEM) that it takes whoever signed them. @throws Error where there is no browser. */
export async function openBrowser(trusted: readonly string[] = []): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined)
    throw new Error('Chromium is not installed: apt-get install chromium, or the like of it elsewhere');
  // It would write its settings into the home of whoever runs the tests.
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-browser-'));
  // Its own sandbox cannot be had by root.
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({
    executablePath,
    args: [
      ...sandbox,
      '--disable-background-networking',
      `--ignore-certificate-errors-spki-list=${trusted.map(publicKeyHash).join(',')}`,
    ],
    env: cleanEnv({ HOME: folder }),
  });
  let isPictured = false;
  const picture = async (page: Page, cause: unknown): Promise<unknown> => {
    if (isPictured) return cause;
    isPictured = true;
    const path = join(tmpdir(), 'gatehouse-browser-failure.png');
    const isThere = await page.screenshot({ path }).then(
      () => true,
      () => false,
    );
    return new Error(`at ${page.url()}${isThere ? `, pictured in ${path}` : ''}`, { cause });
  };
  return {
    async visit(work) {
      const context = await browser.newContext();
      context.setDefaultTimeout(SHOWN_MS);
      const page = await context.newPage();
      try {
        return await work(page);
      } catch (error) {
        throw await picture(page, error);
      } finally {
        await context.close();
      }
    },
    async close() {
      await browser.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function publicKeyHash(certificatePem: string): string {
  const key = new X509Certificate(certificatePem).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

function findChromium(): string | undefined {
  return places.find((path) => existsSync(path));
}
