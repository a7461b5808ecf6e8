import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ApiError } from '../src/api/errors';
import { IServerEvent } from '../src/api/sse';
import { Conversation, IConversationPlace, IKept } from '../src/model/conversation';

const OUTCOME = { id: 'q1', outcome: 'answer', conversation_id: 'c1', sentence: 'Deux.' };
const queued: IServerEvent = { number: 0, event: 'queued', data: { id: 'q1', state: 'running' } };
const step: IServerEvent = { number: 1, event: 'step', data: { step: 'execute' } };
const outcome: IServerEvent = { number: 2, event: 'outcome', data: OUTCOME };

/** What one connection does: gives events, then ends or breaks, or waits for ever (until it is aborted). */
type Script = (IServerEvent | Error | 'wait')[];

class Place implements IConversationPlace {
  constructor(...scripts: Script[]) {
    this.scripts = scripts;
  }

  scripts: Script[];
  asked: { path: string; method: string; body?: unknown; query?: unknown }[] = [];
  noticedErrors: unknown[] = [];
  answers: Record<string, unknown> = {};
  aborted = 0;

  readonly client = {
    json: async <T>(path: string, request: { method?: string } = {}): Promise<T> => {
      this.asked.push({ path, method: request.method ?? 'GET' });
      const found = this.answers[path];
      if (found instanceof Error) {
        throw found;
      }
      return found as T;
    },
    events: (path: string, request: { method?: string; body?: unknown; query?: unknown; signal?: AbortSignal } = {}) => {
      this.asked.push({ path, method: request.method ?? 'GET', body: request.body, query: request.query });
      return this._play(this.scripts.shift() ?? [], request.signal);
    }
  };

  noticed(error: unknown): void {
    this.noticedErrors.push(error);
  }

  async connected(): Promise<void> {}

  private async *_play(script: Script, signal?: AbortSignal): AsyncGenerator<IServerEvent> {
    for (const one of script) {
      await new Promise(resolve => setImmediate(resolve));
      if (one === 'wait') {
        await new Promise((_, reject) =>
          signal?.addEventListener('abort', () => {
            this.aborted += 1;
            reject(new ApiError('cancelled', 'cancelled', ''));
          })
        );
      } else if (one instanceof Error) {
        throw one;
      } else {
        yield one;
      }
    }
  }
}

class Memory implements IKept {
  readonly store = new Map<string, string>();
  get(name: string): string | null {
    return this.store.get(name) ?? null;
  }
  set(name: string, value: string | null): void {
    if (value === null) {
      this.store.delete(name);
    } else {
      this.store.set(name, value);
    }
  }
  read<T>(name: string): T | null {
    const found = this.get(name);
    return found === null ? null : (JSON.parse(found) as T);
  }
}

const soon = (milliseconds = 20): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds));
/** Wait until nothing runs; a busy machine takes its time. */
async function ended(conversation: Conversation): Promise<void> {
  for (let tries = 0; conversation.running && tries < 1_000; tries++) {
    await soon(5);
  }
  await soon(5);
}

const at_once = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
const offline = (): ApiError => new ApiError('offline', 'network', 'parti');
const question = { kind: 'question', question: 'combien ?' } as const;

test('a question runs, ends, and its conversation goes on', async () => {
  const place = new Place([queued, step, outcome], [queued, step, outcome]);
  const kept = new Memory();
  const conversation = new Conversation(place, kept, at_once);
  assert.ok(conversation.ask('s1', question));
  assert.ok(!conversation.ask('s1', question), 'one at a time');
  assert.ok(kept.read('running'));
  await ended(conversation);
  assert.equal(conversation.turns[0].state.state, 'ended');
  assert.equal(conversation.id, 'c1');
  assert.equal(kept.get('running'), null);
  assert.equal(kept.get('conversation:s1'), 'c1');
  assert.ok(conversation.ask('s1', { kind: 'plan', question: 'combien ?', plan: { a: 1 } }));
  await ended(conversation);
  const body = place.asked[1].body as { query: Record<string, unknown> };
  assert.deepEqual(body.query, { source_id: 's1', question: 'combien ?', plan: { a: 1 }, conversation_id: 'c1' });
});

test('SQL comes alone', async () => {
  const place = new Place([outcome]);
  const conversation = new Conversation(place, new Memory(), at_once);
  conversation.ask('s1', { kind: 'sql', question: 'combien ?', sql: 'SELECT 1' });
  await ended(conversation);
  assert.deepEqual((place.asked[0].body as { query: unknown }).query, { source_id: 's1', sql: 'SELECT 1' });
});

test('a connection that breaks is taken up where it broke, and nothing is asked twice', async () => {
  const place = new Place([queued, offline()], [step, offline()], [step, outcome]);
  const conversation = new Conversation(place, new Memory(), at_once);
  conversation.ask('s1', question);
  await ended(conversation);
  assert.equal(conversation.turns[0].state.state, 'ended');
  assert.deepEqual(
    place.asked.map(one => [one.method, one.query]),
    [['POST', undefined], ['GET', { after: 1 }], ['GET', { after: 2 }]]
  );
  assert.equal(place.noticedErrors.length, 2);
});

test('a question that never arrived is sent again under its own id', async () => {
  const place = new Place([offline()], [queued, step, outcome]);
  const conversation = new Conversation(place, new Memory(), at_once);
  conversation.ask('s1', question);
  await ended(conversation);
  const ids = place.asked.map(one => (one.body as { request_id: string }).request_id);
  assert.equal(ids.length, 2);
  assert.equal(ids[0], ids[1]);
  assert.equal(conversation.turns[0].state.state, 'ended');
});

test('Stop is seen at once, in whatever state', async () => {
  const place = new Place(['wait']);
  const conversation = new Conversation(place, new Memory(), at_once);
  conversation.ask('s1', question);
  const turn = conversation.turns[0];
  conversation.stop();
  assert.ok(turn.state.state === 'running' && turn.state.stopping);
  await ended(conversation);
  assert.equal(turn.state.state, 'stopped');
  assert.equal(place.asked.filter(one => one.method === 'DELETE').length, 1);
  assert.equal(place.aborted, 1);
  assert.ok(conversation.ask('s1', question), 'another can be asked');
});

test('an edit runs in the place of its turn, which shows the answer before until then', async () => {
  const second = { ...outcome, data: { ...OUTCOME, id: 'q2', sentence: 'Trois.' } };
  const place = new Place([outcome], [queued, 'wait']);
  const conversation = new Conversation(place, new Memory(), at_once);
  conversation.ask('s1', question);
  await ended(conversation);
  const turn = conversation.turns[0];
  place.scripts = [[queued, step, second]];
  conversation.again(turn, { kind: 'plan', question: 'combien ?', plan: {} });
  assert.equal((turn.outcome as { id: string }).id, 'q1');
  await ended(conversation);
  assert.equal((turn.outcome as { id: string }).id, 'q2');
  assert.equal(turn.firstQueryId, 'q1', 'feedback is about what was asked');
  assert.equal(conversation.turns.length, 1);
});

test('what the platform refuses is told, not tried again', async () => {
  const place = new Place([new ApiError('said', 'too_many', 'Trop de questions.', 429)]);
  const conversation = new Conversation(place, new Memory(), at_once);
  conversation.ask('s1', question);
  await ended(conversation);
  const { state } = conversation.turns[0];
  assert.ok(state.state === 'broken' && state.error.message === 'Trop de questions.');
  assert.equal(place.asked.length, 1);
});

test('after a reload the question that ran is found again, and shown once', async () => {
  const before = new Memory();
  new Conversation(new Place(['wait']), before, at_once).ask('s1', question);
  await soon(5);
  const running = before.read<{ requestId: string }>('running');
  before.set('running', JSON.stringify({ ...running, conversationId: 'c1' }));
  const place = new Place([queued, step, outcome]);
  place.answers['api/conversations/c1'] = {
    id: 'c1', source_id: 's1', title: 't',
    turns: [
      { question: 'avant ?', query_id: 'q0', asked_back: null, created_at: '2026-01-01T00:00:00Z' },
      { question: 'combien ?', query_id: 'q1', asked_back: null, created_at: '2026-01-01T00:00:00Z' }
    ]
  };
  const conversation = new Conversation(place, before, at_once);
  await conversation.restore('s1');
  assert.equal(place.asked[1].path, `ask/${running?.requestId}`);
  assert.deepEqual(conversation.turns.map(turn => [turn.question, turn.state.state]), [['avant ?', 'past'], ['combien ?', 'ended']]);
  assert.equal(before.get('running'), null);
});

test('a question that is no longer known after a reload says so', async () => {
  const kept = new Memory();
  kept.set('running', JSON.stringify({ requestId: 'r', key: 'k', sourceId: 's1', asked: question, askedAt: 0, conversationId: null }));
  const place = new Place([new ApiError('said', 'no_such_question', 'Plus en cours.', 404)]);
  const conversation = new Conversation(place, kept, at_once);
  await conversation.restore('s1');
  const { state } = conversation.turns[0];
  assert.ok(state.state === 'gone' && state.message === 'Plus en cours.');
});

test('what is asked while the conversation before is fetched stays, and so does what was chosen meanwhile', async () => {
  for (const meanwhile of ['ask', 'clear'] as const) {
    const kept = new Memory();
    kept.set('conversation:s1', 'c0');
    const place = new Place([queued, 'wait']);
    let come = (): void => undefined;
    place.answers['api/conversations/c0'] = new Promise(resolve => {
      come = () => resolve({ id: 'c0', source_id: 's1', title: 't', turns: [{ question: 'avant ?', query_id: 'q0', created_at: '2026-01-01T00:00:00Z' }] });
    });
    const conversation = new Conversation(place, kept, at_once);
    const restoring = conversation.restore('s1');
    if (meanwhile === 'ask') {
      conversation.ask('s1', question);
    } else {
      conversation.clear();
    }
    come();
    await restoring;
    assert.deepEqual(conversation.turns.map(turn => [turn.question, turn.state.state]), meanwhile === 'ask' ? [['combien ?', 'running']] : []);
    conversation.dispose();
  }
});

test('a past answer is fetched once, and one that was asked back keeps its words', async () => {
  const place = new Place();
  place.answers['api/conversations/c1'] = {
    id: 'c1', source_id: 's1', title: 't',
    turns: [{ question: 'meilleurs ?', query_id: 'q0', asked_back: 'Selon quoi ?', created_at: '2026-01-01T00:00:00Z' }]
  };
  place.answers['answers/q0'] = { id: 'q0', outcome: 'clarification', message: '' };
  const conversation = new Conversation(place, new Memory(), at_once);
  await conversation.open('c1');
  await Promise.all([conversation.load(conversation.turns[0]), conversation.load(conversation.turns[0])]);
  assert.equal(place.asked.filter(one => one.path === 'answers/q0').length, 1);
  assert.equal(conversation.turns[0].outcome?.message, 'Selon quoi ?');
});
