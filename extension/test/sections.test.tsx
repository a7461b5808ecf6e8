import assert from 'node:assert/strict';
import { test } from 'node:test';

import { found } from '../src/data/search';
import { asRead, doubtful, formatsOf, isDoubtful, withColumn, withSheet } from '../src/data/decisions';
import { finished, keep, shareOf } from '../src/data/keep';
import { written } from '../src/data/preview';
import { readable, sourceNameOf } from '../src/data/upload';
import { BrowsedTable, JobOut, QueryDetail, QueryOut, UnderstoodColumn } from '../src/protocol';
import { Pins } from '../src/publish/pins';
import { secretsIn } from '../src/publish/secrets';
import { dashboardUrl } from '../src/publish/pages';
import { dateOf, fieldsOf, ITile, matched, requestOf, sourcesOnly, tileOf } from '../src/publish/tiles';

const column = (more: Partial<UnderstoodColumn> = {}): UnderstoodColumn => ({
  name: 'date_de_vente', header: 'Date de vente', type: 'date', format: 'dmy', nulls: 0, doubts: ['Jour ou mois ?'],
  bad_cells: [], bad_cell_count: 0, overridden: false, ...more
});

test('a file is known by its ending and named as people say it', () => {
  assert.ok(readable('Ventes.CSV'));
  assert.ok(readable('a.b.xlsx'));
  assert.ok(!readable('csv'));
  assert.ok(!readable('photo.png'));
  assert.equal(sourceNameOf('ventes_2026  T1.csv'), 'ventes 2026 T1');
  assert.equal(sourceNameOf('.csv'), '.csv');
});

test('what is doubtful is what nobody has decided', () => {
  assert.ok(isDoubtful(column()));
  assert.ok(!isDoubtful(column({ overridden: true })));
  assert.ok(!isDoubtful(column({ doubts: [] })));
  assert.ok(isDoubtful(column({ doubts: [], bad_cell_count: 2 })));
  const file = { file: 'a', table: 'a', kind: 'csv' as const, sheet: null, encoding: null, delimiter: ';', header_line: 1, rows: 1, notes: [], first_rows: [] };
  assert.equal(doubtful({ skipped: [], files: [{ ...file, columns: [column(), column({ doubts: [] })] }] }).length, 1);
});

test('a decision about a column keeps the others, and no format that its type cannot have', () => {
  const before = { delimiter: ';', columns: { Montant: { type: 'decimal' as const, format: 'comma' as const } } };
  const after = withColumn(before, column(), { type: 'date', format: 'mdy' });
  assert.deepEqual(after, { delimiter: ';', columns: { ...before.columns, 'Date de vente': { type: 'date', format: 'mdy' } } });
  assert.deepEqual(withColumn(after, column(), { type: 'text' }).columns?.['Date de vente'], { type: 'text' });
  assert.deepEqual(before.columns, { Montant: { type: 'decimal', format: 'comma' } });
  assert.deepEqual(Object.keys(withColumn({}, column({ header: '' }), { type: 'text' }).columns ?? {}), ['date_de_vente']);
  assert.deepEqual(asRead(column()), { type: 'date', format: 'dmy' });
  assert.deepEqual(asRead(column({ type: 'text', format: null })), { type: 'text' });
  assert.equal(asRead(column({ type: 'time' })), null);
  assert.deepEqual(formatsOf('integer'), []);
});

test('sheets are left out and taken back; one stays', () => {
  const all = ['Janvier', 'Février'];
  const one = withSheet({}, all, 'Janvier', false);
  assert.deepEqual(one, { sheets: ['Février'] });
  assert.equal(withSheet(one ?? {}, all, 'Février', false), null);
  assert.deepEqual(withSheet(one ?? {}, all, 'Janvier', true), { sheets: null });
});

test('values of the first rows read as people write them', () => {
  assert.equal(written('1234.50', column({ type: 'decimal' }), 'fr'), '1\u202f234,50');
  assert.equal(written('2026-03-01', column(), 'fr'), '01/03/2026');
  assert.equal(written('007', column({ type: 'text' }), 'fr'), '007');
  assert.equal(written(null, column(), 'fr'), '—');
  assert.equal(written('', column({ type: 'integer' }), 'fr'), '');
});

test('uploads are kept as a source, or in one that is there', async () => {
  const sent: { path: string; body: unknown }[] = [];
  const client = { json: async (path: string, request?: { body?: unknown }) => sent.push({ path, body: request?.body }) as never };
  const uploads = [{ id: 'u1', name: 'a.csv', decision: { delimiter: ';' } }];
  await keep(client, { name: ' Ventes ', workspaceId: null, into: null, uploads });
  await keep(client, { name: '', workspaceId: 'w', into: 's1', uploads });
  assert.deepEqual(sent, [
    { path: 'api/data-sources/from-files', body: { name: 'Ventes', workspace_id: null, uploads: ['u1'], files: { 'a.csv': { delimiter: ';' } } } },
    { path: 'api/data-sources/s1/files', body: { uploads: ['u1'], files: { 'a.csv': { delimiter: ';' } } } }
  ]);
});

test('a job is followed to its end, well or not', async () => {
  const states = ['queued', 'running', 'failed'];
  const told: string[] = [];
  const client = { json: async () => ({ status: states.shift(), progress: { done: 1, total: 4 } }) as never };
  const job = await finished(client, 's', 'j', one => void told.push(one.status), new AbortController().signal, async () => undefined);
  assert.equal(job.status, 'failed');
  assert.deepEqual(told, ['queued', 'running', 'failed']);
  assert.equal(shareOf(job), 0.25);
  assert.equal(shareOf({ progress: {} } as unknown as JobOut), null);
});

test('tables are found by name, label and column, whatever the accents', () => {
  const table = (name: string, label: string | null, columns: string[]): BrowsedTable => ({
    name, label, description: null, row_estimate: null, measures: [], questions: [],
    columns: columns.map(one => ({ name: one, label: null, type: 'text', description: null, personal: false, field: null }))
  });
  const tables = [table('main.cmd', 'Commandes passées', ['id']), table('main.clients', null, ['région'])];
  assert.deepEqual(found(tables, 'PASSEES').map(one => one.name), ['main.cmd']);
  assert.deepEqual(found(tables, ' region ').map(one => one.name), ['main.clients']);
  assert.equal(found(tables, '').length, 2);
});

test('secrets are seen, what is read from elsewhere is not one', () => {
  const secret = [
    "url = 'postgresql://lecteur:motdepasse@base/ventes'",
    '%datapilot source mysql://root:abc@h/x',
    "password = 'hunter22'",
    'mot_de_passe = "hunter22"',
    "connect(host='h', pwd='abcd')",
    "headers = {'Authorization': 'Bearer abcdefghijklmnopqrstuvwxyz'}",
    "API_KEY = 'abcdefgh1234'",
    "AWS = 'AKIAABCDEFGHIJKLMNOP'",
    '-----BEGIN RSA PRIVATE KEY-----',
    'DRIVER=x;UID=u;PWD=abcdef;',
    "{'secret': 'abcdefgh12'}"
  ];
  for (const line of secret) {
    assert.equal(secretsIn([line]).length, 1, line);
  }
  const none = [
    "password = os.environ['PASSWORD']",
    'password = getpass()',
    "password = ''",
    "url = f'postgresql://{user}:{password}@base/ventes'",
    'https://exemple.fr/chemin:8080/a@b',
    '%ask mot de passe oublié par région',
    "SELECT token FROM sessions",
    "compass = 'nord-est'",
    'https://user@exemple.fr/'
  ];
  for (const line of none) {
    assert.deepEqual(secretsIn([line]), [], line);
  }
  assert.deepEqual(secretsIn(['1', "a\nb\npassword = 'hunter22'"]), [{ cell: 1, line: 3, kind: 'password' }]);
  // What is said of it holds nothing of it.
  assert.ok(!JSON.stringify(secretsIn(secret)).includes('hunter22'));
});

const query = (id: string, question: string | null, more: Partial<QueryOut> = {}): QueryOut =>
  ({ id, question, kind: 'ask', outcome: 'answer', source_id: 's', trust: 'governed', ...more }) as QueryOut;

test('the questions of a notebook find what they came to, each its own', () => {
  const asked = [{ cell: 1, question: 'ca' }, { cell: 3, question: 'ca' }, { cell: 4, question: 'clients  par ville' }, { cell: 5, question: 'absent' }];
  const ran = [query('4', 'autre'), query('3', 'clients par ville'), query('2', 'ca'), query('x', 'ca', { kind: 'sql' }), query('1', 'ca')];
  assert.deepEqual(matched(asked, ran).map(one => one.query?.id ?? null), ['1', '2', '3', null]);
});

const PLAN = {
  measures: [{ alias: 'm', measure: 'ventes.ca' }],
  dimensions: [{ alias: 'd', field: 'clients.region' }, { alias: 't', field: 'ventes.date', grain: 'month' as const }],
  filters: [{ field: 'ventes.canal', values: ['web'] }],
  any_of: [[{ field: 'clients.region', values: ['Nord'] }]]
};

test('an answer with a plan is a tile; SQL and refusals are none', () => {
  const detail = { ...query('1', 'ca'), plan: PLAN, sql: 'x', tables: [], model: null } as unknown as QueryDetail;
  assert.equal(tileOf('k', '', detail)?.title, 'ca');
  assert.equal(tileOf('k', 't', { ...detail, plan: null }), null);
  assert.equal(tileOf('k', 't', { ...detail, outcome: 'refusal' }), null);
});

const tile: ITile = { key: 'cell-2', title: 'CA', sourceId: 's', question: 'ca', trust: 'governed', plan: PLAN, cell: 2 };
const asked = { name: ' Ventes ', tiles: [tile], filters: [], notebook: null, interactive: true, exploratory: false } as const;

test('filters are the fields of the answers, each once; the period goes by the date that cuts them', () => {
  assert.deepEqual(fieldsOf([tile, tile]), ['clients.region', 'ventes.canal']);
  assert.equal(dateOf([tile], []), 'ventes.date');
  assert.equal(dateOf([{ ...tile, plan: { ...PLAN, time: 'commandes.le' } }], []), 'commandes.le');
  const day = { name: 'le', label: 'Jour', type: 'date', description: null, personal: false, field: 'factures.le' };
  const table: BrowsedTable = { name: 't', label: null, description: null, row_estimate: null, measures: [], questions: [], columns: [day] };
  assert.equal(dateOf([{ ...tile, plan: { ...PLAN, dimensions: [] } }], [table]), 'factures.le');
  assert.equal(dateOf([{ ...tile, plan: { ...PLAN, dimensions: [] } }], []), null);
});

test('a notebook is sent as it was written, without what it showed', () => {
  const sent = sourcesOnly([{ type: 'markdown', source: '# Ventes' }, { type: 'raw', source: 'x' }, { type: 'code', source: '%ask ca' }]);
  assert.deepEqual(sent.cells.map(cell => [cell['cell_type'], cell['source']]), [['markdown', '# Ventes'], ['raw', 'x'], ['code', '%ask ca']]);
  assert.deepEqual(sent.cells[2], { id: 'cell-2', cell_type: 'code', metadata: {}, source: '%ask ca', execution_count: null, outputs: [] });
  assert.ok(!('outputs' in sent.cells[0]));
});

test('a request has what the API takes: a new dashboard, a version of one, more tiles of one', () => {
  const one = { title: 'CA', source_id: 's', question: 'ca', plan: PLAN, chart_type: 'auto' };
  const filters = [{ field: 'clients.region', label: 'région', values: null, kind: 'values' as const }];
  // Answers alone make a page: there is nothing that could be interactive, and no cell that a tile stands for.
  assert.deepEqual(requestOf({ ...asked, filters, target: { kind: 'new' } }), {
    name: 'Ventes', dashboard_id: null, add_tiles: false, filters, tiles: [{ ...one, cell: null }], notebook: null, mode: 'page', exploratory: false
  });
  const notebook = sourcesOnly([{ type: 'code', source: '%ask ca' }]);
  const version = requestOf({ ...asked, notebook, target: { kind: 'version', dashboardId: 'd' } });
  assert.deepEqual([version.name, version.dashboard_id, version.add_tiles, version.mode, version.tiles[0].cell], [null, 'd', false, 'interactive', 2]);
  assert.equal(version.notebook, notebook);
  const added = requestOf({ ...asked, target: { kind: 'add', dashboardId: 'd' } });
  assert.deepEqual([added.name, added.dashboard_id, added.add_tiles, added.notebook], [null, 'd', true, null]);
});

test('the page of a dashboard stands beside the page of its request', () => {
  const request = { url: 'https://datapilot.example/base/publications/abc', dashboard_id: 'd1' };
  assert.equal(dashboardUrl(request), 'https://datapilot.example/base/tableaux/d1');
});

test('pins stay over a reload, without rows and plans', () => {
  const kept = new Map<string, string>();
  const store = { read: <T,>(name: string) => JSON.parse(kept.get(name) ?? 'null') as T | null, set: (name: string, value: string | null) => void kept.set(name, value ?? '') };
  const pins = new Pins(store);
  let changes = 0;
  pins.changed.connect(() => void (changes += 1));
  pins.toggle({ queryId: 'a', title: 'A', trust: null });
  pins.toggle({ queryId: 'b', title: 'B', trust: null });
  pins.toggle({ queryId: 'a', title: 'A', trust: null });
  assert.deepEqual(new Pins(store).list, [{ queryId: 'b', title: 'B', trust: null }]);
  pins.remove(['b', 'never']);
  assert.equal(pins.list.length, 0);
  assert.equal(changes, 4);
  kept.set('pins', '{"not": "a list"}');
  assert.deepEqual(new Pins(store).list, []);
});
