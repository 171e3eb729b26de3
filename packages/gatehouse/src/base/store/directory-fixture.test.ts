// No test itself: directories on one database, in a folder that lasts for a test.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before } from 'node:test';
import type { Kms } from '#base/crypto/kms';
import { openLocalKms } from '#base/crypto/local-kms';
import { Refusal } from '#base/model/refusals';
import { type Clock, systemClock } from '#base/runtime/clock';
import { createLog } from '#base/runtime/log';
import type { TestDatabase, TestKind } from '#testing/directory-databases';
import type { Directory, NewNamespace } from './directory.ts';
import { type OpenDirectoryOptions, openDirectory } from './open-directory.ts';

export interface DirectorySite {
  readonly folder: string;
  readonly kms: Kms;
  readonly database: TestDatabase;
  /** What the directories said to the operator. */
  readonly lines: readonly string[];
  /** Opens one whose sealed copy is `<replica>.copy` in the folder. It is closed after the test. */
  open(replica: string, more?: Partial<OpenDirectoryOptions>): Promise<Directory>;
  /** Closes one that is not to last until the end of the test. */
  close(directory: Directory): Promise<void>;
}

/**
 * For a suite: the kind of database runs as long as the suite does.
 * @returns makes the site of a test, which ends with it.
 */
export function directorySites(kind: TestKind): () => Promise<DirectorySite> {
  let folder = '';
  const opened: Directory[] = [];

  before(() => kind.start());
  after(() => kind.end());
  afterEach(async () => {
    for (const directory of opened.splice(0)) await directory.close();
    await rm(folder, { recursive: true });
  });

  return async () => {
    folder = await mkdtemp(join(tmpdir(), 'gatehouse-store-'));
    const kms = await openLocalKms(join(folder, 'kms.key'));
    const database = await kind.make(folder);
    const lines: string[] = [];
    return {
      ...{ folder, kms, database, lines },
      async open(replica, more = {}) {
        const directory = await openDirectory({
          database: database.options,
          kms,
          cachePath: join(folder, `${replica}.copy`),
          clock: systemClock,
          log: createLog({ level: 'debug', write: (line) => lines.push(line) }),
          ...more,
        });
        opened.push(directory);
        return directory;
      },
      async close(directory) {
        opened.splice(opened.indexOf(directory), 1);
        await directory.close();
      },
    };
  };
}

export interface ClockAhead extends Clock {
  /** How far it is ahead of the system's. */
  aheadMs: number;
}

export function clockAhead(aheadMs = 0): ClockAhead {
  const clock = {
    aheadMs,
    now: () => Date.now() + clock.aheadMs,
    monotonicMs: () => performance.now() + clock.aheadMs,
  };
  return clock;
}

export function namespace(id: string): NewNamespace {
  return { id, region: 'aws-local', retentionDays: 7 };
}

/** For `assert.rejects`. */
export function refusedWith(code: string, text = ''): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === code && error.message.includes(text);
}
