import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EventReader } from '../src/api/sse';
import { isErrorBody, saidBy } from '../src/api/errors';
import { barsOf, metaOf } from '../src/chat/chart-words';
import { nextSort, pagesOf, ROW_PX, widthsOf, windowOf } from '../src/chat/window';
import { Kept } from '../src/kept';
import { cellsFor, nameOf, openedBy, quoted } from '../src/notebook/cells';
import { questionOf } from '../src/notebook/question';
import { Answer, ColumnOut } from '../src/protocol';

const column = (label: string, type: string): ColumnOut =>
  ({ name: label, label, type, grain: null, role: 'column' }) as unknown as ColumnOut;
const answer = { engine: 'local', pretty_sql: 'SELECT 1' } as unknown as Answer;

test('events are read however they are cut', () => {
  const stream = 'id: 0\nevent: queued\ndata: {"id":"é"}\n\n: still there\n\nid: 1\nevent: step\ndata: {"a":1}\n\n';
  for (let cut = 1; cut < stream.length; cut++) {
    const reader = new EventReader();
    const found = [...reader.push(stream.slice(0, cut)), ...reader.push(stream.slice(cut))];
    assert.deepEqual(
      found.map(one => [one.number, one.event]),
      [[0, 'queued'], [1, 'step']]
    );
  }
});

test('an error of the platform says whose turn it is', () => {
  const body = (code: string) => ({ error: { code, message: 'm', details: {}, incident: 'AB' } });
  assert.equal(saidBy(body('cancelled'), 499).kind, 'cancelled');
  assert.equal(saidBy(body('not_signed_in'), 403).kind, 'expired');
  assert.equal(saidBy(body('unreachable'), 502).kind, 'offline');
  assert.equal(saidBy(body('too_many'), 429).kind, 'said');
  assert.equal(saidBy(body('fault'), 500).incident, 'AB');
  assert.ok(!isErrorBody({ message: 'Forbidden' }));
  assert.ok(!isErrorBody(null));
});

test('a header sorts, sorts the other way, and lets go', () => {
  const text = nextSort(null, 0, false);
  assert.deepEqual(text, { column: 0, descending: false });
  assert.deepEqual(nextSort(text, 0, false), { column: 0, descending: true });
  assert.equal(nextSort({ column: 0, descending: true }, 0, false), null);
  assert.deepEqual(nextSort(text, 2, true), { column: 2, descending: true });
  assert.deepEqual(nextSort({ column: 2, descending: true }, 2, true), { column: 2, descending: false });
});

test('what is drawn covers what is seen, and little more', () => {
  for (const scroll of [0, 13, 5_000, 259_000, 10 ** 7]) {
    const [first, beyond] = windowOf(Math.min(scroll, 10_000 * ROW_PX - 300), 300, 10_000);
    assert.ok(first * ROW_PX <= Math.min(scroll, 10_000 * ROW_PX - 300));
    assert.ok(beyond - first < 50 && beyond <= 10_000 && first >= 0);
  }
  assert.deepEqual(windowOf(0, 300, 3), [0, 3]);
  assert.deepEqual(pagesOf(0, 14), [0]);
  assert.deepEqual(pagesOf(190, 410), [0, 1, 2]);
  assert.deepEqual(widthsOf([column('x', 'text'), column('montant', 'decimal')], [['a'.repeat(90), '1']]), [36, 10]);
});

test('a chart says what else it can be', () => {
  const chart = {
    data: [{ type: 'bar', orientation: 'h', y: [1, 2, 3] }, { type: 'bar', y: [1, 2, 3, 4] }],
    layout: { meta: { datapilot: { type: 'bar', alternatives: ['bar', 'donut'] } } }
  };
  assert.deepEqual(metaOf(chart), { type: 'bar', alternatives: ['bar', 'donut'] });
  assert.equal(metaOf(null), null);
  assert.equal(metaOf({ data: [] }), null);
  assert.equal(barsOf(chart), 3);
});

test('an answer goes into the notebook as what it is', () => {
  const what = { answer, question: "chiffre d'affaires\n par région", source: 'Ventes "2026"' };
  assert.deepEqual(cellsFor('ask', what, false), [
    `%datapilot source 'Ventes "2026"'`,
    `%ask -s 'Ventes "2026"' chiffre d'affaires par région`
  ]);
  assert.deepEqual(cellsFor('ask', { ...what, source: 'V' }, true), [`%ask -s "V" chiffre d'affaires par région`]);
  // What the question does not say is not inserted as the question.
  const edited = { ...what, source: 'V', answer: { ...answer, engine: 'plan' } as Answer };
  assert.match(cellsFor('ask', edited, true)[0], /^%%sql -s "V"\n-- chiffre d'affaires par région\nSELECT 1$/);
  const frame = cellsFor('frame', { ...what, source: 'V' }, true, new Set(['chiffre_affaires_par_region']));
  assert.match(frame[0], /^%%sql -s "V" -o chiffre_affaires_par_region_2\n/);
  assert.equal(frame[1], 'df_chiffre_affaires_par_region_2 = chiffre_affaires_par_region_2.df\ndf_chiffre_affaires_par_region_2');
});

test('a source is opened by what stands above the answer, and was run', () => {
  const open = { source: '%datapilot source "V"\n', ran: false };
  assert.equal(openedBy([], 'V'), false);
  assert.equal(openedBy([open, { source: 'x', ran: true }, open], 'V'), 2);
  assert.equal(openedBy([open], 'Autre'), false);
  const more = { source: 'import pandas\n%datapilot source "V"', ran: false };
  assert.equal(openedBy([more], 'V'), false);
  assert.equal(openedBy([{ ...more, ran: true }], 'V'), true);
});

test('names are Python’s', () => {
  assert.equal(nameOf('Quel est le CA de l’été 2025 ?'), 'ca_ete_2025');
  assert.equal(nameOf('10 meilleurs clients'), 'r_10_meilleurs_clients');
  assert.equal(nameOf('?!'), 'resultat');
  assert.equal(quoted(`l'"un"`), `'l’"un"'`);
});

test('a cell’s question is found', () => {
  assert.equal(questionOf("%ask chiffre d'affaires"), "chiffre d'affaires");
  assert.equal(questionOf('x = 1\n%ask -s "Ma source" -o ca total ?'), 'total ?');
  assert.equal(questionOf('%%ask --no-chart\nventes\npar région'), 'ventes par région');
  assert.equal(questionOf('%ask --no-chart ventes du mois'), 'ventes du mois');
  assert.equal(questionOf('%asked'), null);
  assert.equal(questionOf('print("%ask x")'), null);
});

test('what is kept is kept apart, and a browser that keeps nothing is no fault', () => {
  const store = new Map<string, string>();
  const storage = {
    getItem: (key: string) => store.get(key) ?? null,
    setItem: (key: string, value: string) => void store.set(key, value),
    removeItem: (key: string) => void store.delete(key)
  };
  const [one, other] = [new Kept('/user/a/', storage), new Kept('/user/b/', storage)];
  one.set('draft', 'texte');
  assert.equal(other.get('draft'), null);
  one.set('running', '{broken');
  assert.equal(one.read('running'), null);
  one.set('draft', null);
  assert.equal(one.get('draft'), null);
  const full = new Kept('/', { ...storage, setItem: () => { throw new Error('quota'); } });
  full.set('draft', 'x');
});
