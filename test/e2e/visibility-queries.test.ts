import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { Refusal } from '../../packages/gatehouse/src/base/model/refusals.ts';
import { callEngine, type EngineAnswer } from '../../packages/gatehouse/src/core/engine/engine-call.ts';
import { attributeProblem } from '../../packages/gatehouse/src/core/sealing/visibility-query/attribute-problem.ts';
import {
  conditions,
  fakeSealed,
  sealRow,
  styles,
  writeQuery,
} from '../../packages/gatehouse/src/core/sealing/visibility-query/query-model-fixture.test.ts';
import { rewriteQuery } from '../../packages/gatehouse/src/core/sealing/visibility-query/rewrite-query.ts';
import { decode, encode } from '../../packages/gatehouse/src/testing/grpc-client.ts';
import { type House, startHouse } from '../../packages/gatehouse/src/testing/house.ts';
import { runQueryFuzz } from '../fuzz/visibility-query-fuzz.ts';
import { startQueryOracle } from '../fuzz/visibility-query-oracle.ts';
import { type Reply, until } from './raw-tenant.ts';
import { addSearchAttributes, INT, KEYWORD, KEYWORD_LIST } from './search-attributes.ts';

// The engine itself, asked past the gateway: one namespace in clear, another with the same rows and sealed values. The
// query in the one and the rewritten query in the other must find the same. And what is known of the engine's language
// is asked of it here, so that a new version that reads otherwise is noticed.

const CLEAR = 'default.local';
const SEALED = 'sealed.local';

const types = {
  Customer: KEYWORD,
  'Cust Name': KEYWORD,
  Owner: KEYWORD,
  Region: KEYWORD,
  Tags: KEYWORD_LIST,
};
/** For what the engine says of names alone. */
const odd = { Status: KEYWORD, status: KEYWORD, 'a.b': KEYWORD };

type Values = Readonly<Record<string, string | readonly string[]>>;
const rows: Readonly<Record<string, Values>> = {
  both: { Customer: 'acme', 'Cust Name': 'Acme Inc.', Owner: 'ann', Region: 'eu', Tags: ['red', 'blue'] },
  newer: { Customer: 'acme', Owner: 'bob', Region: 'us', Tags: ['red'] },
  quoted: { Customer: "o'neil & sons", Owner: 'ann', Tags: ['green', "it's"] },
  cased: { Customer: 'Acme', Region: 'eu', Tags: ['blue'] },
  comment: { Customer: 'x -- /* y */', 'Cust Name': 'é 😀', Owner: 'eve' },
  bare: { Region: 'us' },
};
/** Of two attribute keys one sealed the older half of the rows. */
const keyOf = (id: string): string => (['both', 'quoted', 'comment'].includes(id) ? 'k1' : 'k2');

const two = fakeSealed(['k2', 'k1'], ['Customer', 'Cust Name', 'Tags']);
const one = fakeSealed(['k1'], ['Owner']);
const sealed = {
  has: (name: string) => two.has(name) || one.has(name),
  names: [...two.names, ...one.names],
  sealAll: (name: string, value: string) => (one.has(name) ? one : two).sealAll(name, value),
};

let house: House;

before(async () => {
  house = await startHouse({ namespaces: ['sealed'] });
  for (const namespace of [CLEAR, SEALED]) {
    await addSearchAttributes(house, namespace, { ...types, ...(namespace === CLEAR ? odd : {}) });
  }
  for (const [id, values] of Object.entries(rows)) {
    const stored = sealRow(sealRow(values, two, keyOf(id)), one, 'k1') as Values;
    await start(CLEAR, id, id === 'both' ? { ...values, Status: 'up', status: 'low', 'a.b': 'dot' } : values);
    await start(SEALED, id, stored);
  }
  await until('all rows are listed', async () => {
    const counts = await Promise.all([CLEAR, SEALED].flatMap((at) => [count(at, ''), scheduled(at, '')]));
    return counts.flat().length === 2 + 2 * 6 && counts[0] === 6 && counts[2] === 6;
  });
});
after(() => house.close());

function call(method: string, namespace: string, fields: Record<string, unknown>): Promise<EngineAnswer> {
  const { engine } = house.up.platform;
  const request = encode(`workflowservice.v1.${method}Request`, { namespace, ...fields });
  const token = engine.tokens.mintToken(namespace, 'write');
  return callEngine(engine, `/temporal.api.workflowservice.v1.WorkflowService/${method}`, request, token);
}

async function ask(method: string, namespace: string, fields: Record<string, unknown>): Promise<Reply> {
  const answer = await call(method, namespace, fields);
  assert.equal(answer.status, 0, `${method} ${JSON.stringify(fields['query'])}: ${answer.message}`);
  return decode(`workflowservice.v1.${method}Response`, answer.body);
}

/** A workflow and a schedule of the same name. The engine learns of new attributes within seconds. */
async function start(namespace: string, id: string, values: Values): Promise<void> {
  const workflow = { workflowId: id, workflowType: { name: 'orders' }, taskQueue: { name: 'orders' } };
  const searchAttributes = {
    indexedFields: Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) },
      ]),
    ),
  };
  await until(`${id} is started`, async () => {
    const fields = { ...workflow, requestId: id, searchAttributes };
    return (await call('StartWorkflowExecution', namespace, fields)).status === 0;
  });
  const schedule = { action: { action: { case: 'startWorkflow', value: workflow } } };
  await ask('CreateSchedule', namespace, { scheduleId: id, requestId: id, schedule, searchAttributes });
}

async function found(method: string, namespace: string, query: string): Promise<string[]> {
  const { executions } = await ask(method, namespace, { query });
  return executions.map((at: Reply) => at.execution.workflowId).sort();
}

/** @returns ids, or what the engine says: for schedules it knows no NOT. */
async function scheduled(namespace: string, query: string): Promise<string[]> {
  const answer = await call('ListSchedules', namespace, { query });
  if (answer.status !== 0) return [`${answer.status} ${answer.message}`];
  const { schedules } = decode('workflowservice.v1.ListSchedulesResponse', answer.body);
  return schedules.map((at: Reply) => at.scheduleId).sort();
}

async function count(namespace: string, query: string): Promise<number> {
  return Number((await ask('CountWorkflowExecutions', namespace, { query })).count);
}

/** @returns what both find. */
async function assertSame(query: string): Promise<string[]> {
  const sent = rewriteQuery(query, sealed);
  const list = await found('ListWorkflowExecutions', CLEAR, query);
  const said = `${query}\n${sent}`;
  assert.deepEqual(await found('ListWorkflowExecutions', SEALED, sent), list, said);
  assert.deepEqual(await found('ScanWorkflowExecutions', SEALED, sent), list, said);
  assert.equal(await count(SEALED, sent), list.length, said);
  const schedules = await scheduled(CLEAR, query);
  assert.deepEqual(await scheduled(SEALED, sent), schedules, said);
  if (schedules[0]?.startsWith('3 ') !== true) {
    const counted = await ask('CountSchedules', SEALED, { query: sent });
    assert.equal(Number(counted.count), schedules.length, said);
  }
  return list;
}

test('a rewritten query finds in sealed rows what the query finds in clear ones', async () => {
  for (const [query, expected] of [
    ["Customer = 'acme'", ['both', 'newer']],
    ['Customer="acme"', ['both', 'newer']],
    ["Customer != 'acme'", ['cased', 'comment', 'quoted']],
    ["Customer<>'acme'AND Region IS NULL", ['comment', 'quoted']],
    ["NOT Customer = 'acme'", ['cased', 'comment', 'quoted']],
    ["NOT (Customer = 'acme' OR Region = 'eu')", []],
    ["Customer IN ('acme', 'Acme')", ['both', 'cased', 'newer']],
    ["Customer NOT IN ('acme', 'Acme')", ['comment', 'quoted']],
    ['Customer IS NULL', ['bare']],
    ['Customer IS NOT NULL AND Owner IS NULL', ['cased']],
    ["Customer = 'o''neil & sons'", ['quoted']],
    ['Customer = "o\'neil & sons"', ['quoted']],
    ["Customer = 'o\\'neil & sons'", ['quoted']],
    ["Customer = 'x -- /* y */'", ['comment']],
    ['`Cust Name` = "é 😀"', ['comment']],
    ['`Cust``omer` = "acme" AND `Cust Name` = "Acme Inc."', ['both']],
    ["Owner = 'ann'", ['both', 'quoted']],
    ["Owner != 'ann'", ['comment', 'newer']],
    ["Owner NOT IN ('ann', 'eve')", ['newer']],
    ["Tags = 'red'", ['both', 'newer']],
    ["Tags != 'red'", ['bare', 'cased', 'comment', 'quoted']],
    ["Tags IN ('blue', 'green')", ['both', 'cased', 'quoted']],
    ["Tags NOT IN ('blue', 'green')", ['bare', 'comment', 'newer']],
    ["NOT Tags = 'blue'", ['bare', 'comment', 'newer', 'quoted']],
    ['Tags = "it\'s"', ['quoted']],
    ['Tags IS NULL', ['bare', 'comment']],
    ["(Customer = 'acme' OR Tags = 'green') AND Region STARTS_WITH 'u'", ['newer']],
    ["WorkflowId = 'Customer' OR Customer = 'nobody'", []],
  ] as const) {
    assert.deepEqual(await assertSame(query), expected, query);
  }
});

test('schedules are found by their sealed attributes as well', async () => {
  for (const [query, expected] of [
    ["Customer = 'acme'", ['both', 'newer']],
    ["Tags NOT IN ('blue', 'green') AND Owner IS NOT NULL", ['comment', 'newer']],
  ] as const) {
    assert.deepEqual(await scheduled(SEALED, rewriteQuery(query, sealed)), expected);
  }
  const not = "NOT Customer = 'acme'";
  assert.match(
    String(await scheduled(SEALED, rewriteQuery(not, sealed))),
    /^3 .*not supported: 'not' expression/,
  );
});

test('generated queries find the same', async () => {
  const value = fc.constantFrom('acme', 'Acme Inc.', 'red', 'blue', "it's", "o'neil & sons", 'x -- /* y */');
  const written = fc.sample(fc.tuple(conditions(true, value), styles), { numRuns: 60, seed: 1 });
  let some = 0;
  for (const [condition, style] of written) {
    if ((await assertSame(writeQuery(condition, style))).length % 6 !== 0) some += 1;
  }
  // Else all or none is found, which shows little.
  assert.ok(some > 15, `${some}`);
});

test('a grouped count is the same', async () => {
  const query = "Customer = 'acme' GROUP BY ExecutionStatus";
  const groups = await ask('CountWorkflowExecutions', CLEAR, { query });
  const sealedGroups = await ask('CountWorkflowExecutions', SEALED, { query: rewriteQuery(query, sealed) });
  assert.equal(Number(groups.groups[0].count), 2);
  assert.deepEqual(sealedGroups.groups, groups.groups);
});

test('values that the store in use cannot compare in clear are found where they are sealed', async () => {
  // SQLite gets these with a backslash before them; MySQL would take it away again.
  for (const [id, value] of [
    ['double-quote', 'say "x"'],
    ['backslash', 'a\\b'],
    ['newline', 'a\nb'],
  ] as const) {
    await start(CLEAR, id, { Customer: value });
    await start(SEALED, id, { Customer: two.seal('Customer', value) });
    const query = `Customer = '${value.replaceAll('\\', '\\\\')}'`;
    await until('it is listed', async () => (await count(SEALED, `WorkflowId = '${id}'`)) === 1);
    assert.deepEqual(await found('ListWorkflowExecutions', CLEAR, query), []);
    assert.deepEqual(await found('ListWorkflowExecutions', SEALED, rewriteQuery(query, sealed)), [id]);
  }
});

test('a query of the greatest length that is sent is answered', async () => {
  const value = 'x'.repeat(40);
  const list = Array.from({ length: 1900 }, (_, at) => `'${at}'`).join();
  for (const name of ['Customer', 'Tags']) {
    const sent = rewriteQuery(`${name} IN (${list}, '${value}')`, sealed);
    assert.ok(sent.length > 180_000);
    assert.deepEqual(await found('ListWorkflowExecutions', SEALED, sent), []);
  }
});

/** Of a query that is refused here: what the engine finds, or says. */
async function engineSays(query: string): Promise<string> {
  const answer = await call('ListWorkflowExecutions', CLEAR, { query });
  if (answer.status !== 0) return `${answer.status} ${answer.message}`;
  return `finds ${(await found('ListWorkflowExecutions', CLEAR, query)).join(' ')}`;
}

const ACME = 'finds both newer';

test('what is refused beside the plain language: the engine refuses it too, or reads it in a way of its own', async () => {
  for (const [query, engine] of [
    ["(Customer) = 'acme'", /must be a column name but was \*sqlparser.ParenExpr/],
    ["'acme' = Customer", /must be a column name but was \*sqlparser.SQLVal/],
    ["(Customer, Owner) IN (('acme', 'ann'))", /must be a column name but was sqlparser.ValTuple/],
    ["Customer = ('acme')", /unexpected value type \*sqlparser.ParenExpr/],
    ["Customer IN 'acme'", /syntax error/],
    ['Customer = Region', /column name on the right side/],
    ["Customer = 'ac' 'me'", /syntax error/],
    ["Customer = _utf8'acme'", /syntax error/],
    ["Customer = N'acme'", /syntax error/],
    ["Customer = x'61636d65'", /unable to parse 61636d65/],
    ['Customer = 0x61', /unable to parse 0x61/],
    ['Customer = NULL', /unexpected value type \*sqlparser.NullVal/],
    ['Customer IS TRUE', /'IS' operator can only be used with/],
    ["Customer <=> 'acme'", /invalid operator '<=>'/],
    ["Customer RLIKE 'a.*'", /invalid operator 'regexp'/],
    ["Customer LIKE 'a%'", /invalid operator 'like'/],
    ["! Customer = 'acme'", /must be a column name but was \*sqlparser.UnaryExpr/],
    ["Customer = concat('ac', 'me')", /nested func/],
    ['Customer', /incomplete expression/],
    ["Customer = 'acme' ORDER BY Customer", /'ORDER BY' clause/],
    ['GROUP BY Customer', /only supported for ExecutionStatus/],
    ["Customer = 'acme' LIMIT 1", /'LIMIT' clause/],
    ["Customer = 'acme", /syntax error/],
    ["Customer\u00a0= 'acme'", /syntax error/],
    ["Customer\v= 'acme'", /syntax error/],
    ["customer = 'acme'", /column name 'customer' is not a valid search attribute/],
    ["TemporalCustomer = 'acme'", /column name 'TemporalCustomer' is not a valid search attribute/],
    ["default.Customer = 'acme'", /syntax error|not a valid search attribute/],
    [`${'('.repeat(200)}Customer = 'acme'${')'.repeat(200)}`, /max nesting level reached/],
    // From here on the engine answers.
    [`${'('.repeat(199)}Customer = 'acme'${')'.repeat(199)}`, ACME],
    ["Customer = 'acme' -- comment", ACME],
    ["Customer = 'acme' # comment", ACME],
    ["Customer = 'acme' // comment", ACME],
    ["Customer = /* comment */ 'acme'", ACME],
    ["Customer = 'acme';", ACME],
    ["Customer = 'acme' || Customer = 'acme'", ACME],
    ["\u00a0Customer = 'acme'\u2003", ACME],
    ["Customer\0= 'acme'", ACME],
    // Quotes at the ends of a value are cut off.
    ["Customer = '''acme'''", ACME],
    ['Customer = 5', 'finds '],
    ['Customer = true', 'finds '],
    ["Customer STARTS_WITH 'ac'", 'finds both cased newer'],
    ["Customer BETWEEN 'ab' AND 'ad'", ACME],
    ["Keyword01 IS NULL AND WorkflowId = 'x' OR Keyword01 = 'nobody'", 'finds '],
    ["TemporalKeyword01 = 'nobody'", 'finds '],
  ] as const) {
    assert.throws(() => rewriteQuery(query, sealed), Refusal, query);
    const said = await engineSays(query);
    if (typeof engine === 'string') assert.equal(said, engine, query);
    else assert.match(said, engine, query);
  }
});

test('the engine knows names byte for byte, without their backticks, and reads its own words in small letters', async () => {
  for (const [query, engine] of [
    ["`Customer` = 'acme'", ACME],
    ["`Cust``omer` = 'acme'", ACME],
    ["`Cust Name` = 'Acme Inc.'", 'finds both'],
    ["`a.b` = 'dot'", 'finds both'],
    ["a.b = 'dot'", 'finds both'],
    ["`a` . b = 'dot'", 'finds both'],
    ["`Status` = 'up'", 'finds both'],
    ["Status = 'up'", 'finds '],
    ["STATUS = 'low'", 'finds both'],
  ] as const) {
    assert.equal(await engineSays(query), engine, query);
  }
});

test('keywords in any case, and no white space where none is needed, are read alike', async () => {
  for (const query of [
    "Customer iN('acme')oR Owner Is nUlL",
    "nOt Customer='acme'aNd Tags NoT\tiN\r\n('red')",
  ]) {
    await assertSame(query);
  }
});

test('the engine takes a sealed text for an attribute of the types that can be sealed, and for no other', async () => {
  const typed = {
    Int: INT,
    Double: 4,
    Bool: 5,
    Datetime: 6,
    Text: 1,
    Keyword: KEYWORD,
    KeywordList: KEYWORD_LIST,
  };
  const named = Object.entries(typed).map(([type, value]) => [`Any${type}`, value]);
  await addSearchAttributes(house, SEALED, Object.fromEntries(named));
  const text = two.seal('Customer', 'acme');
  const fields = (type: string) => ({
    workflowId: `any-${type}`,
    workflowType: { name: 'orders' },
    taskQueue: { name: 'orders' },
    requestId: type,
    searchAttributes: {
      indexedFields: {
        [`Any${type}`]: {
          metadata: { encoding: Buffer.from('json/plain') },
          data: Buffer.from(JSON.stringify(type === 'KeywordList' ? [text] : text)),
        },
      },
    },
  });
  await until('the attributes are known', async () => {
    const answer = await call('StartWorkflowExecution', SEALED, fields('Keyword'));
    return answer.status === 0;
  });
  for (const type of Object.keys(typed)) {
    const { status, message } = await call('StartWorkflowExecution', SEALED, fields(type));
    const takes = status === 0 || /already|running/i.test(message);
    // A Text takes the sealed text as well, and cannot search it.
    assert.equal(takes, type === 'Text' || attributeProblem(type) === undefined, `${type}: ${message}`);
  }
});

test("T-083 mutated queries are read by the engine's own parser as we read them, before and after", async (t) => {
  const seconds = Number(process.env['GATEHOUSE_FUZZ_SECONDS'] ?? 15);
  const seed = Number(process.env['GATEHOUSE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const oracle = await startQueryOracle({ progress: (line) => t.diagnostic(line) });
  t.after(() => oracle.close());
  const report = await runQueryFuzz({ seed, oracle, milliseconds: seconds * 1000 });
  t.diagnostic(JSON.stringify(report));
  assert.ok(report.compared > report.queries / 10);
});
