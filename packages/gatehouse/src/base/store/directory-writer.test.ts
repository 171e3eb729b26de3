import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { postgres, sqlite } from '#testing/directory-databases';
import { directorySites, namespace, refusedWith } from './directory-fixture.test.ts';

for (const kind of [sqlite, postgres]) {
  describe(`writing to the directory on ${kind.name}`, () => {
    const fresh = directorySites(kind);

    test('what is written is in the snapshot when the write returns, and after a new start', async () => {
      const { close, open } = await fresh();
      const directory = await open('a');
      await directory.write.createAccount('local');
      const made = await directory.write.createNamespace({
        ...namespace('default.local'),
        caBundlePem: 'pem one',
        certificateFilters: [{ commonName: 'worker-*' }],
        nexusEndpoints: ['payments'],
        auditMode: 'strict',
      });
      assert.deepEqual(directory.snapshot().namespaces.get('default.local'), made);
      const { write } = directory;
      await write.setCaBundle('default.local', 'pem two');
      await write.setCertificateFilters('default.local', [{ organization: 'acme' }, { commonName: 'x' }]);
      await write.setState('default.local', 'suspended');
      await write.setTlsPolicy('default.local', { allowTls12: true });
      await write.setNexusEndpoints('default.local', ['billing', 'payments']);
      await write.setEngineId('default.local', 'engine-1');
      await write.setRetentionDays('default.local', 30);
      assert.equal(made.sealing, 'on');
      await write.setEncryption('default.local', { sealedAttributes: ['CustomerId'], kmsKey: 'acme' });
      await write.setEncryption('default.local', {
        sealing: 'migrate',
        clientEncryption: 'require',
        plaintextAllowed: ['memo'],
      });
      await write.setLimits('default.local', { polls: 7, callsPerSecond: 100 });
      const last = await write.setAuditMode('default.local', 'relaxed');
      const expected = {
        id: 'default.local',
        uuid: made.uuid,
        account: 'local',
        region: 'aws-local',
        state: 'suspended',
        retentionDays: 30,
        engineId: 'engine-1',
        caBundlePem: 'pem two',
        certificateFilters: [{ organization: 'acme' }, { commonName: 'x' }],
        allowTls12: true,
        nexusEndpoints: ['billing', 'payments'],
        nexusPeers: [],
        auditMode: 'relaxed',
        sealing: 'migrate',
        sealedAttributes: ['CustomerId'],
        kmsKey: 'acme',
        clientEncryption: 'require',
        plaintextAllowed: ['memo'],
        limits: { callsPerSecond: 100, polls: 7 },
        revision: last.revision,
      };
      assert.deepEqual(directory.snapshot().namespaces.get('default.local'), expected);
      assert.equal(directory.snapshot().revision, last.revision);
      assert.ok(Object.isFrozen(directory.snapshot().namespaces.get('default.local')?.certificateFilters[0]));
      assert.equal(directory.state(), 'current');
      await close(directory);
      assert.deepEqual((await open('b')).snapshot().namespaces.get('default.local'), expected);
    });

    test('Nexus peers only come to those that are known, and must be namespaces', async () => {
      const { open } = await fresh();
      const directory = await open('a');
      const { write } = directory;
      await write.createAccount('local');
      const made = [];
      for (const id of ['caller.local', 'first.local', 'second.local']) {
        made.push(await write.createNamespace(namespace(id)));
      }
      const [, first, second] = made.map(({ uuid }) => uuid);
      assert.ok(first !== undefined && second !== undefined);
      await write.addNexusPeers('caller.local', [first]);
      await write.setNexusEndpoints('caller.local', []);
      await write.addNexusPeers('caller.local', [second, first]);
      const peers = () => directory.snapshot().namespaces.get('caller.local')?.nexusPeers;
      assert.deepEqual(peers(), [first, second]);
      await assert.rejects(write.addNexusPeers('caller.local', ['nobody']), refusedWith('input_invalid'));
      await assert.rejects(write.addNexusPeers('nobody.local', [first]), refusedWith('namespace_unknown'));
      await write.deleteNamespace('first.local');
      assert.deepEqual(peers(), [first, second]);
    });

    test('bad input, a missing account, a name in use and a stale revision are refused in words', async () => {
      const { open } = await fresh();
      const { write, snapshot } = await open('a');
      await assert.rejects(write.createAccount('no'), refusedWith('input_invalid', '5 to 32'));
      await assert.rejects(
        write.createNamespace(namespace('default.nobody')),
        refusedWith('input_invalid', 'account does not exist'),
      );
      await write.createAccount('local');
      await assert.rejects(write.createAccount('local'), refusedWith('input_invalid', 'exists already'));
      const made = await write.createNamespace(namespace('default.local'));
      const again = write.createNamespace(namespace('default.local'));
      await assert.rejects(again, refusedWith('input_invalid', 'exists already'));
      for (const bad of [
        { ...namespace('nodot') },
        { ...namespace('other.local'), retentionDays: 0 },
        { ...namespace('other.local'), retentionDays: 91 },
        { ...namespace('other.local'), region: 'No Region' },
        { ...namespace('other.local'), caBundlePem: 'x\0' },
        { ...namespace('other.local'), caBundlePem: 'x'.repeat(70_000) },
        { ...namespace('other.local'), certificateFilters: [{}] },
        { ...namespace('other.local'), sealedAttributes: ['A', 'A'] },
        { ...namespace('other.local'), plaintextAllowed: [''] },
        { ...namespace('other.local'), limits: { polls: 0 } },
        { ...namespace('other.local'), limits: { callsPerSecond: 1.5 } },
        { ...namespace('other.local'), limits: { pollers: 1 } as object },
      ]) {
        await assert.rejects(write.createNamespace(bad), refusedWith('input_invalid'));
      }
      await write.setRetentionDays('default.local', 8, made.revision);
      const stale = write.setRetentionDays('default.local', 9, made.revision);
      await assert.rejects(stale, refusedWith('input_invalid', 'changed since it was read'));
      await assert.rejects(write.setState('none.local', 'active'), refusedWith('namespace_unknown'));
      assert.equal(snapshot().namespaces.get('default.local')?.retentionDays, 8);
      assert.equal(snapshot().revision, 4 /* token key, account, namespace, retention */);
    });

    test("the caller's own checks run before anything is written", async () => {
      const { open } = await fresh();
      const { write } = await open('a', {
        checks: {
          caBundle: (pem) => assert.notEqual(pem, 'not a bundle'),
          certificateFilters: (filters) => assert.ok(filters.every((each) => each.commonName !== '**')),
        },
      });
      await write.createAccount('local');
      await write.createNamespace(namespace('default.local'));
      await assert.rejects(write.setCaBundle('default.local', 'not a bundle'), assert.AssertionError);
      const filters = write.setCertificateFilters('default.local', [{ commonName: '**' }]);
      await assert.rejects(filters, assert.AssertionError);
    });
  });
}
