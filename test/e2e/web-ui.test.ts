import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { Page } from 'playwright-core';
import { findCanaries } from '../../packages/gatehouse/src/testing/canary.ts';
import { browserObstacle } from '../parts/browser.ts';
import { command } from './canary-tenant.ts';
import { until } from './raw-tenant.ts';
import { refusedCalls } from './refused-calls.ts';
import { attributes } from './search-attributes.ts';
import { searchHouse } from './stored-bytes.ts';
import { startWebUiSite, type WebUiSite } from './web-ui-site.ts';
import { listenTo } from './web-ui-traffic.ts';

// Real Web UI, real browser. Every word that a client says here is a canary: what is shown to a person, what passes the
// Web UI's server, and what the platform has on disk are told apart by where canaries are.

/** `binary/encrypted`, as the Web UI shows it where it shows metadata. */
const ENCRYPTED = Buffer.from('binary/encrypted').toString('base64');
/** What a ciphertext looks like where a text should stand. */
const CIPHERTEXT = /^"?[A-Za-z0-9+/]{60,}={0,2}"?$/;
/** Refused to every tenant. The Web UI then offers no other namespaces, and shows a note that it could not. */
const REFUSED_TO_ALL = 'temporal.api.workflowservice.v1.WorkflowService/ListNamespaces';
/** A workflow in the list. */
const ROW = 'workflows-summary-configurable-table-row';
/** Stands where nothing is sealed: that it is found shows that the search would find the others. */
const READABLE = 'Kanarienvogel-in-a-reason';

describe('the Web UI through the gateway', { concurrency: false, skip: browserObstacle() }, () => {
  let site: WebUiSite;
  let foreign: Server;
  /** Run ids of the workflows below. */
  const runs = new Map<string, string>();
  /** What the Worker's client said. */
  let said: string;
  /** What the client without a codec said, by place. */
  const sealed = new Map<string, string>();

  before(async () => {
    site = await startWebUiSite();
    foreign = createServer((req, res) => {
      const headers = req.url === '/sandboxed' ? { 'content-security-policy': 'sandbox allow-scripts' } : {};
      res.writeHead(200, { ...headers, 'content-type': 'text/html' }).end('<p>a page');
    });
    await once(foreign.listen(0, '127.0.0.1'), 'listening');
    await runEncrypted();
    await runSealed('sealed');
    const place = new Map(site.canaries.places);
    for (const [text, where] of place) sealed.set(where, text);
    await runSealed('neighbour');
  });
  after(async () => {
    foreign?.close();
    await site?.close();
  });

  /** An echo with a memo, a failure, and a mailbox that stays open, of a client and a Worker that encrypt. */
  async function runEncrypted(): Promise<void> {
    const { client, canaries, taskQueue } = site;
    said = canaries.make('encrypted');
    const more = { taskQueue, args: [said], memo: { note: said } };
    const handles = await Promise.all([
      client.workflow.start('echo', { ...more, workflowId: 'encrypted' }),
      client.workflow.start('stubborn', { taskQueue, workflowId: 'failed' }),
      client.workflow.start('mailbox', { taskQueue, workflowId: 'mailbox' }),
    ]);
    for (const { workflowId, firstExecutionRunId } of handles) runs.set(workflowId, firstExecutionRunId);
    await handles[0].result();
    await assert.rejects(handles[1].result());
  }

  /** A workflow of a client without a codec: what it says, the platform alone seals. */
  async function runSealed(workflowId: string): Promise<void> {
    const { tenant, canaries } = site;
    const { runId } = await tenant.start(workflowId, {
      taskQueue: { name: workflowId },
      input: tenant.input('input'),
      memo: { fields: { note: tenant.say('memo') } },
      searchAttributes: attributes({ Customer: canaries.make('customer') }),
      userMetadata: { summary: tenant.say('summary'), details: tenant.say('details') },
    });
    runs.set(workflowId, runId);
    const result = command(4, 'completeWorkflowExecution', { result: tenant.input('result') });
    const answer = await tenant.complete(await tenant.takeTask(workflowId), [result]);
    assert.equal(answer.status, 0);
  }

  const pathOf = (workflowId: string, tab = 'history'): string =>
    `/namespaces/${site.namespace}/workflows/${workflowId}/${runs.get(workflowId)}/${tab}`;
  const open = (page: Page, path: string, origin = site.origin) =>
    page.goto(origin + path, { waitUntil: 'commit' });
  /** By way of the list, which is much faster than to load a page anew. */
  const turnTo = async (page: Page, workflowId: string): Promise<void> => {
    await page.getByTestId('workflow-button').click();
    await page.getByRole('link', { name: workflowId, exact: true }).first().click();
  };
  /** Waits for a text on the page. */
  const sees = (page: Page, text: string | RegExp) =>
    page.getByText(text).filter({ visible: true }).first().waitFor();
  /** Waits until input and result both show this. */
  const seesInputAndResult = (page: Page, text: string | RegExp) =>
    page.getByTestId('input-and-result').getByText(text).nth(1).waitFor();
  const seesInAFrame = (page: Page, text: string) =>
    until(`${text} is shown`, async () => {
      // A frame that is just being replaced has no content.
      const frames = page.frames().map((frame) => frame.content().catch(() => ''));
      return (await Promise.all(frames)).some((content) => content.includes(text));
    });
  /** Every page of this tab asks this codec server from now on, as the Web UI keeps it. */
  const useCodec = async (page: Page): Promise<void> => {
    const kept = JSON.stringify(JSON.stringify(site.codec.url));
    await page.addInitScript(
      `localStorage.endpoint = ${kept}; localStorage.overrideRemoteCodecConfiguration = 'true'`,
    );
  };
  const canariesOn = async (page: Page) => findCanaries(Buffer.from(await page.content()));

  test('without a codec endpoint input, result, memo and failure are ciphertext', async () => {
    await site.browser.visit(async (page) => {
      const traffic = listenTo(page, site.origin);
      await open(page, pathOf('encrypted'));
      await seesInputAndResult(page, CIPHERTEXT);
      await page.getByRole('button', { name: 'JSON' }).click();
      await sees(page, ENCRYPTED);
      assert.deepEqual(await canariesOn(page), []);
      await page.getByTestId('memo-tab').click();
      await sees(page, ENCRYPTED);
      assert.deepEqual(await canariesOn(page), []);
      await open(page, pathOf('failed'));
      await sees(page, 'Encoded failure');
      assert.doesNotMatch(await page.content(), /broken at attempt/);
      assert.deepEqual(findCanaries(await traffic.bytes()), []);
    });
  });

  test("with the endpoint in the browser's settings all of it is in clear, and none of it passes the Web UI's server", async () => {
    await site.browser.visit(async (page) => {
      const traffic = listenTo(page, site.origin);
      await open(page, pathOf('encrypted'));
      await page.getByTestId('data-encoder-status').click();
      await page.getByText('Use my browser setting').click();
      await page.getByTestId('data-encoder-endpoint-input').fill(site.codec.url);
      await page.getByRole('dialog').getByRole('button', { name: 'Apply' }).click();
      await page.reload({ waitUntil: 'commit' });
      await seesInputAndResult(page, said);
      await page.getByTestId('data-encoder-status-success').waitFor();
      await page.getByTestId('memo-tab').click();
      await sees(page, `"note": "${said}"`);
      await open(page, pathOf('failed'));
      await sees(page, 'broken at attempt 2');
      const bytes = await traffic.bytes();
      assert.deepEqual(findCanaries(bytes), []);
      assert.equal(bytes.includes('broken at attempt'), false);
    });
  });

  test("T-070a with the server's setting and the person's access token only who may read this namespace reads it", async () => {
    const { origin, signIn, codec } = site.guarded;
    for (const [permission, status] of [
      [`${site.namespace}:read`, 200],
      ['other.local:admin', 403],
    ] as const) {
      signIn.permit(permission);
      const from = codec.requests.length;
      await site.browser.visit(async (page) => {
        await open(page, pathOf('encrypted'), origin);
        await page.getByTestId('login-button').click();
        await seesInputAndResult(page, status === 200 ? said : CIPHERTEXT);
        if (status === 200) return;
        await page.getByTestId('data-encoder-status-error').waitFor();
        assert.deepEqual(await canariesOn(page), []);
      });
      const decodes = codec.requests.slice(from).filter((it) => it['status'] !== 204);
      assert.deepEqual([...new Set(decodes.map((it) => it['status']))], [status]);
    }
  });

  test('a signal that is typed into the Web UI leaves the browser encrypted, the Worker reads it, and its answer is shown', async () => {
    const typed = site.canaries.make('typed');
    await site.browser.visit(async (page) => {
      await useCodec(page);
      const traffic = listenTo(page, site.origin);
      await open(page, pathOf('mailbox'));
      await page.getByRole('button', { name: 'More Actions' }).click();
      await page.getByRole('menuitem', { name: 'Send a Signal' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByTestId('signal-select-button').click();
      await dialog.getByRole('option', { name: 'put', exact: true }).click();
      await dialog.getByRole('textbox', { name: 'Data' }).fill(JSON.stringify(typed));
      await dialog.getByRole('button', { name: 'Submit' }).click();
      await until('the Worker has it', async () => {
        const texts = await site.client.workflow.getHandle('mailbox').query<string[]>('texts');
        return texts.includes(typed);
      });
      await page.getByTestId('queries-tab').click();
      await page.getByTestId('query-select-button').click();
      await page.getByRole('option', { name: 'texts' }).click();
      await page.getByRole('button', { name: 'Run Query' }).click();
      await sees(page, typed);
      assert.deepEqual(findCanaries(await traffic.bytes()), []);
    });
  });

  test('what the platform alone seals is in clear without any codec endpoint', async () => {
    await site.browser.visit(async (page) => {
      const traffic = listenTo(page, site.origin);
      await open(page, pathOf('sealed'));
      for (const place of ['input', 'result']) await sees(page, sealed.get(place) ?? '-');
      await page.getByTestId('memo-tab').click();
      await sees(page, sealed.get('memo') ?? '-');
      await page.getByTestId('search-attributes-tab').click();
      await sees(page, sealed.get('customer') ?? '-');
      await page.getByTestId('user-metadata-tab').click();
      for (const place of ['summary', 'details']) await seesInAFrame(page, sealed.get(place) ?? '-');
      // The gateway opened it, so the Web UI's server saw it: the traffic of the other tests would have shown it.
      assert.notDeepEqual(findCanaries(await traffic.bytes()), []);
    });
  });

  test('what describes a Workflow for people stays in the browser where a policy forbids frames, and not where the Web UI may use them', async () => {
    const { client, canaries, taskQueue } = site;
    const [staticSummary, staticDetails] = [canaries.make('summary'), canaries.make('details')];
    const more = { staticSummary, staticDetails, taskQueue, args: ['x'] };
    const handle = await client.workflow.start('explained', { ...more, workflowId: 'described' });
    runs.set('described', handle.firstExecutionRunId);
    await handle.result();
    await site.browser.visit(async (page) => {
      await useCodec(page);
      const traffic = listenTo(page, site.framelessOrigin);
      await open(page, pathOf('described', 'user-metadata'), site.framelessOrigin);
      await sees(page, 'Current Details');
      await page.getByTestId('timeline-tab').click();
      await page.getByTestId('history-tab').click();
      await page.getByRole('button', { name: 'JSON' }).click();
      for (const text of [staticSummary, staticDetails]) await sees(page, text);
      assert.deepEqual(findCanaries(await traffic.bytes()), []);
    });
    // It has its own server render them, by their text in an address.
    await site.browser.visit(async (page) => {
      await useCodec(page);
      const traffic = listenTo(page, site.origin);
      await open(page, pathOf('described', 'user-metadata'));
      for (const text of [staticSummary, staticDetails]) await seesInAFrame(page, text);
      assert.notDeepEqual(findCanaries(await traffic.bytes()), []);
    });
  });

  test('the list finds a workflow by the value of a sealed search attribute', async () => {
    const value = sealed.get('customer') ?? '-';
    await site.browser.visit(async (page) => {
      for (const filter of [`Customer = '${value}'`, `\`Customer\`="${value}"`]) {
        const query = new URLSearchParams({ query: filter });
        await open(page, `/namespaces/${site.namespace}/workflows?${query}`);
        const rows = page.getByTestId(ROW);
        await rows.first().waitFor();
        assert.equal(await rows.count(), 1);
        assert.match((await rows.textContent()) ?? '', /sealed/);
      }
    });
  });

  test('T-070a a page of any other origin gets nothing from the codec server, in whichever way it asks', async () => {
    const { history } = await site.tenant.ask('GetWorkflowExecutionHistory', {
      execution: { workflowId: 'encrypted' },
    });
    const [payload] = history.events[0].attributes.value.input.payloads;
    const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
    const metadata = Object.entries<Uint8Array>(payload.metadata).map(([key, value]) => [key, base64(value)]);
    const body = JSON.stringify({
      payloads: [{ metadata: Object.fromEntries(metadata), data: base64(payload.data) }],
    });
    const { port } = foreign.address() as AddressInfo;
    const lookalike = site.origin.replace('localhost', 'evil.localhost');
    const ask = { url: `${site.codec.url}/decode`, namespace: site.namespace, body };
    for (const [address, origin] of [
      [`http://localhost:${port}/`, `http://localhost:${port}`],
      [`http://localhost:${port}/sandboxed`, 'null'],
      [`${lookalike}/healthz`, lookalike],
    ] as const) {
      const from = site.codec.requests.length;
      await site.browser.visit(async (page) => {
        await page.goto(address);
        const nothing = ['failed', 'failed', 'failed', 'opaque '];
        assert.deepEqual(await page.evaluate(askInEveryWay, ask), nothing, origin);
      });
      const requests = site.codec.requests.slice(from);
      assert.deepEqual(new Set(requests.map((it) => it['origin'])), new Set([origin]));
      assert.deepEqual(new Set(requests.map((it) => it['status'])), new Set([403]));
    }
    // The same from the page that may.
    await site.browser.visit(async (page) => {
      await page.goto(`${site.origin}/healthz`);
      const [answer = ''] = await page.evaluate(askInEveryWay, ask);
      assert.match(answer, /^cors /);
      assert.notDeepEqual(findCanaries(Buffer.from(answer)), []);
    });
  });

  test("every page of a namespace works with the namespace's own certificate", async () => {
    const from = (await site.house.events()).length;
    const failed: string[] = [];
    await site.browser.visit(async (page) => {
      page.on('response', (it) => {
        if (it.url().includes('/api/v1/') && it.status() >= 400) failed.push(new URL(it.url()).pathname);
      });
      const [namespace, api] = ['', '/api/v1'].map((it) => `${it}/namespaces/${site.namespace}`);
      /** Does it, and waits for the answer to a call that this must lead to. */
      const step = async (call: string, act: () => Promise<unknown>): Promise<void> => {
        const answered = page.waitForResponse((it) => new URL(it.url()).pathname === call);
        await act();
        assert.equal((await answered).status(), 200, call);
      };
      const click = (testId: string) => () => page.getByTestId(testId).first().click();
      await step(`${api}`, () => open(page, `${namespace}`));
      await step(`${api}/workflow-count`, click('workflow-button'));
      await step(`${api}/schedules`, click('schedules-button'));
      await step(`${api}/batch-operations`, click('batch-operation-button'));
      await step(`${api}/workers`, click('workers-button'));
      await step(`${api}/worker-deployments`, click('deployments-tab'));
      const mailbox = `${api}/workflows/mailbox`;
      await step(`${mailbox}/history`, () => turnTo(page, 'mailbox'));
      await step(`${mailbox}/query/__stack_trace`, click('call-stack-tab'));
      await page.getByTestId('history-tab').click();
      const { taskQueue } = site;
      await step(`${api}/task-queues/${taskQueue}`, () =>
        page.locator(`a[href$="/task-queues/${taskQueue}"]`).first().click(),
      );
      await sees(page, 'Pollers');
    });
    const refused = (await refusedCalls(site.house, from)).filter((it) => it.method !== REFUSED_TO_ALL);
    assert.deepEqual(refused, []);
    assert.deepEqual(
      failed.filter((path) => path !== '/api/v1/namespaces'),
      [],
    );
  });

  test('nothing of what was said, shown or typed lies in the log, in the record or in any file of the platform', async () => {
    await site.tenant.ask('TerminateWorkflowExecution', {
      workflowExecution: { workflowId: 'mailbox' },
      reason: READABLE,
    });
    const hits = await searchHouse(site.house);
    assert.deepEqual(
      hits.filter((hit) => !hit.around.includes('-in-a-reason')),
      [],
    );
    assert.notDeepEqual(hits, []);
    assert.deepEqual(findCanaries(Buffer.from(JSON.stringify(await site.house.events()))), []);
  });
});

interface Question {
  readonly url: string;
  readonly namespace: string;
  readonly body: string;
}

/** In the browser: how each way to ask ended, and what the page could read of the answer. */
async function askInEveryWay({ url, namespace, body }: Question): Promise<string[]> {
  const json = { 'content-type': 'application/json', 'x-namespace': namespace };
  // No preflight is made for this one.
  const simple = { 'content-type': 'text/plain' };
  const ways: RequestInit[] = [
    { mode: 'cors', headers: json },
    { mode: 'cors', headers: json, credentials: 'include' },
    { mode: 'cors', headers: simple },
    { mode: 'no-cors', headers: simple },
  ];
  const ends = ways.map((way) =>
    fetch(url, { method: 'POST', body, ...way }).then(
      async (answer) => `${answer.type} ${await answer.text()}`,
      () => 'failed',
    ),
  );
  return await Promise.all(ends);
}
