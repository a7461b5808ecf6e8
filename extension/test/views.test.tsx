import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import * as React from 'react';
import { act } from 'react-dom/test-utils';
import { createRoot, Root } from 'react-dom/client';
import { Signal } from '@lumino/signaling';
import { nullTranslator } from '@jupyterlab/translation';

import { ChatContext, IChatContext } from '../src/chat/context';
import { TurnView } from '../src/chat/turn';
import { Conversation } from '../src/model/conversation';
import { Asked, Turn, TurnState } from '../src/model/turn';
import { Answer, Outcome } from '../src/protocol';

const trans = nullTranslator.load('datapilot');
const asked: { again: Asked[]; stopped: number; sent: { path: string; body: unknown }[] } = { again: [], stopped: 0, sent: [] };
let root: Root | null = null;

afterEach(() => {
  act(() => root?.unmount());
  document.body.replaceChildren();
  asked.again = [];
  asked.stopped = 0;
  asked.sent = [];
});

const common = { id: 'a'.repeat(32), message: 'Dit.', notes: [], engine: 'local', timings_ms: { total: 12 }, model: null, conversation_id: null };
const answer = {
  ...common, outcome: 'answer', question: 'combien ?', trust: 'governed', sentence: 'Lyon arrive en tête.', cached: false,
  reading: [{ path: '/measures/0', kind: 'measure', label: 'Mesure', value: 'CA', editable: true }],
  plan: { kind: 'aggregate' }, sql: 'SELECT 1', pretty_sql: 'SELECT\n  1', single: false, row_count: 2, truncated: false, chart: null,
  columns: [
    { name: 'v', label: 'Ville', type: 'text', grain: null, role: 'dimension', lower_is_better: false },
    { name: 'e', label: 'Évolution', type: 'decimal', grain: null, role: 'growth', lower_is_better: true }
  ],
  rows: [['Lyon', '0.1'], ['Nice', '-0.2']], shown: [['Lyon', '+10,0 %'], ['Nice', '-20,0 %']]
} as unknown as Answer;

async function shown(state: TurnState): Promise<HTMLElement> {
  const turn = new Turn('k', 's1', { kind: 'question', question: 'combien ?' }, 0, state);
  if (state.state === 'running') {
    turn.requestId = 'r';
  }
  const signal = new Signal<object, void>({});
  const conversation = {
    changed: signal, settled: signal, turns: [turn], running: state.state === 'running' ? turn : null,
    again: (_: Turn, what: Asked) => asked.again.push(what),
    stop: () => { asked.stopped += 1; }
  } as unknown as Conversation;
  const client = {
    settings: { baseUrl: '/' },
    json: async (path: string, request: { body?: unknown } = {}) => {
      asked.sent.push({ path, body: request.body });
      return path === 'plan/editor' ? { editor: 'none', options: [], grains: [], value: null, removable: true } : { plan: { edited: true } };
    },
    url: (path: string) => `/${path}`,
    text: async () => ''
  };
  const context = {
    datapilot: { trans, language: 'fr', client, sources: { list: [], current: null } },
    conversation, rendermime: { mimeTypes: [] }, inserter: {}, write: () => undefined
  } as unknown as IChatContext;
  const host = document.body.appendChild(document.createElement('div'));
  await act(async () => {
    root = createRoot(host);
    root.render(<ChatContext.Provider value={context}><TurnView turn={turn} /></ChatContext.Provider>);
  });
  return host;
}

const one = (host: HTMLElement, selector: string): HTMLElement => {
  const found = host.querySelector<HTMLElement>(selector);
  assert.ok(found, `${selector} in ${host.innerHTML}`);
  return found;
};
const click = (node: HTMLElement): Promise<void> => act(async () => node.click());

test('each outcome looks like itself', async () => {
  const kinds: [string, Outcome][] = [
    ['.dp-Sentence', answer],
    ['.dp-mod-clarification', { ...common, outcome: 'clarification', choices: [{ label: 'Par CA', plan: { p: 1 } }] } as unknown as Outcome],
    ['.dp-mod-refusal', { ...common, outcome: 'refusal', reason: 'x', missing: '' } as unknown as Outcome],
    ['.dp-mod-failure[role=alert]', { ...common, outcome: 'failure', reason: 'fault', incident: 'AB12' } as unknown as Outcome]
  ];
  for (const [selector, outcome] of kinds) {
    const host = await shown({ state: 'ended', outcome });
    for (const [other] of kinds) {
      assert.equal(host.querySelector(other) !== null, other === selector, `${other} for ${outcome.outcome}`);
    }
    act(() => root?.unmount());
  }
});

test('Stop is there from the first instant', async () => {
  const host = await shown({ state: 'running', step: 'queued', since: performance.now(), stopping: false, reconnecting: false });
  await click(one(host, '.dp-Stop'));
  assert.equal(asked.stopped, 1);
  assert.match(one(host, '[role=status]').textContent ?? '', /Sending/);
});

test('a choice that is clicked runs its plan with the question', async () => {
  const outcome = { ...common, outcome: 'clarification', choices: [{ label: 'Par CA', plan: { p: 1 } }] } as unknown as Outcome;
  const host = await shown({ state: 'ended', outcome });
  await click(one(host, '.dp-Choice'));
  assert.deepEqual(asked.again, [{ kind: 'plan', question: 'combien ?', plan: { p: 1 } }]);
});

test('a chip that is taken away runs the edited plan', async () => {
  const host = await shown({ state: 'ended', outcome: answer });
  await click(one(host, 'button.dp-Chip'));
  assert.equal(one(host, 'button.dp-Chip').getAttribute('aria-expanded'), 'true');
  await click(one(host, '.dp-Editor .dp-Plain'));
  const last = asked.sent[asked.sent.length - 1];
  assert.equal(last.path, 'plan/edit');
  assert.deepEqual(asked.again, [{ kind: 'plan', question: 'combien ?', plan: { edited: true } }]);
});

test('the table says what it is, and what is better for whom', async () => {
  const host = await shown({ state: 'ended', outcome: answer });
  const table = one(host, '[role=table]');
  assert.equal(table.getAttribute('aria-rowcount'), '3');
  const cells = [...host.querySelectorAll('.dp-Body .dp-Cell')].map(cell => [cell.textContent, cell.className]);
  // More is worse here: a rise is bad, a fall is good.
  assert.match(String(cells[1][1]), /dp-mod-bad/);
  assert.match(String(cells[3][1]), /dp-mod-good/);
});

test('data is text: nothing in it is markup', async () => {
  const evil = '<img src=x onerror="window.broken=1">';
  const outcome = { ...answer, sentence: evil, shown: [[evil, evil], [evil, evil]], notes: [evil] } as Answer;
  const host = await shown({ state: 'ended', outcome });
  assert.equal(host.querySelector('img'), null);
  assert.ok((host.textContent ?? '').includes(evil));
});

test('every button has a name that can be read aloud', async () => {
  const host = await shown({ state: 'ended', outcome: answer });
  for (const button of host.querySelectorAll('button')) {
    assert.ok((button.getAttribute('aria-label') ?? button.textContent ?? '').trim(), button.outerHTML);
  }
});

test('what of the past has lost its words says so, and is asked again by a click', async () => {
  const past = { ...common, message: '', question: 'combien ?' };
  for (const outcome of [{ ...past, outcome: 'refusal', reason: 'x' }, { ...past, outcome: 'clarification' }] as unknown as Outcome[]) {
    const host = await shown({ state: 'ended', outcome });
    assert.ok((host.querySelector('.dp-Message p')?.textContent ?? '').length > 10, outcome.outcome);
    assert.equal(host.querySelector('.dp-Choices'), null);
    await click(one(host, '.dp-Message .dp-Go'));
    assert.deepEqual(asked.again.pop(), { kind: 'question', question: 'combien ?' });
    act(() => root?.unmount());
  }
});
