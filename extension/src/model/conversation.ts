import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Client } from '../api/client';
import { ApiError, IErrorBody, saidBy } from '../api/errors';
import { IServerEvent } from '../api/sse';
import { ConversationDetail, Outcome } from '../protocol';
import { Asked, StepName, Turn } from './turn';

/** What a conversation needs of the session: small, so that tests can stand in. */
export interface IConversationPlace {
  readonly client: Pick<Client, 'json' | 'events'>;
  /** An error may say how it stands with the platform. */
  noticed(error: unknown): void;
  /** Resolves when the platform is there (again). */
  connected(): Promise<void>;
}

/** Where what survives a reload is kept. */
export interface IKept {
  get(name: string): string | null;
  set(name: string, value: string | null): void;
  read<T>(name: string): T | null;
}

/** A question that runs, as it is kept over a reload. */
interface IRunning {
  requestId: string;
  key: string;
  sourceId: string;
  asked: Asked;
  askedAt: number;
  conversationId: string | null;
}

/** How long it waits before it listens again. */
const RETRY_MS = [300, 1_000, 2_000, 4_000];

/**
 * The conversation that is shown: its turns, and the question that runs.
 *
 * One question at a time. A connection that breaks is taken up again where it broke (the server half holds the question);
 * Stop works from the first instant; what runs is found again after a reload.
 */
export class Conversation implements IDisposable {
  constructor(
    private readonly _place: IConversationPlace,
    private readonly _kept: IKept,
    private readonly _wait: (milliseconds: number) => Promise<void> = milliseconds =>
      new Promise(resolve => setTimeout(resolve, milliseconds))
  ) {}

  /** The API's id; null: it begins with its first question. */
  get id(): string | null {
    return this._id;
  }

  get turns(): readonly Turn[] {
    return this._turns;
  }

  /** The turn that runs; null: none does. */
  get running(): Turn | null {
    return this._turns.find(turn => turn.isRunning) ?? null;
  }

  /** Turns came or went, or the running one changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A question ended, or a conversation began: the list of conversations has changed. */
  get settled(): ISignal<this, void> {
    return this._settled;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._abort?.abort();
    Signal.clearData(this);
  }

  // ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Ask; false: something runs already. */
  ask(sourceId: string, asked: Asked): boolean {
    if (this.running) {
      return false;
    }
    const turn = new Turn(Client.requestId(), sourceId, asked, Date.now(), this._begun());
    this._turns = [...this._turns, turn];
    this._watch(turn);
    void this._run(turn);
    this._changed.emit();
    return true;
  }

  /** Run something else in a turn's place: an edited reading, a choice, edited SQL; the same again. */
  again(turn: Turn, asked: Asked = turn.asked): boolean {
    if (this.running || !this._turns.includes(turn)) {
      return false;
    }
    turn.before = turn.outcome;
    turn.asked = asked;
    turn.state = this._begun();
    void this._run(turn);
    return true;
  }

  /** Stop what runs. Seen at once; the platform is told at once. */
  stop(): void {
    const turn = this.running;
    if (!turn || turn.state.state !== 'running' || turn.state.stopping) {
      return;
    }
    turn.state = { ...turn.state, stopping: true };
    void this._stop(turn);
  }

  private _begun(): Turn['state'] {
    return { state: 'running', step: 'queued', since: performance.now(), stopping: false, reconnecting: false };
  }

  private async _stop(turn: Turn): Promise<void> {
    const { requestId } = turn;
    try {
      await this._place.client.json(`ask/${requestId}`, { method: 'DELETE', timeoutMs: 5_000 });
      // Its end comes as an event; should it not, what is seen must not wait for it.
      await this._wait(6_000);
    } catch (error) {
      this._place.noticed(error);
    }
    if (turn.requestId === requestId && turn.isRunning) {
      this._abort?.abort();
      this._ended(turn, { state: 'stopped' });
    }
  }

  private async _run(turn: Turn): Promise<void> {
    const requestId = Client.requestId();
    turn.requestId = requestId;
    this._keepRunning(turn);
    const { asked } = turn;
    const query: Record<string, unknown> = { source_id: turn.sourceId };
    if (asked.kind === 'sql') {
      query.sql = asked.sql;
    } else {
      if (asked.question) {
        query.question = asked.question;
      }
      if (asked.kind === 'plan') {
        query.plan = asked.plan;
      }
      if (this._id) {
        query.conversation_id = this._id;
      }
    }
    await this._follow(turn, requestId, { request_id: requestId, query });
  }

  /** Listen until the end, over as many connections as it takes. `body`: it has not been asked yet. */
  private async _follow(turn: Turn, requestId: string, body: unknown | null): Promise<void> {
    const abort = (this._abort = new AbortController());
    let next = 0;
    for (let tries = 0; turn.requestId === requestId && turn.isRunning; tries++) {
      try {
        const request = { signal: abort.signal };
        const events =
          body !== null && next === 0
            ? this._place.client.events('ask', { ...request, method: 'POST', body })
            : this._place.client.events(`ask/${requestId}`, { ...request, query: { after: next } });
        for await (const event of events) {
          tries = 0;
          if (event.number < next) {
            continue;
          }
          next = event.number + 1;
          if (this._take(turn, event)) {
            return;
          }
        }
        throw new ApiError('offline', 'cut', '');
      } catch (error) {
        if (this._isDisposed || turn.requestId !== requestId || !turn.isRunning) {
          return;
        }
        const ours = error instanceof ApiError ? error : new ApiError('offline', 'network', '');
        if (ours.kind === 'cancelled') {
          this._ended(turn, { state: 'stopped' });
          return;
        }
        if (ours.kind === 'said') {
          const lost = ours.code === 'no_such_question';
          this._ended(turn, lost ? { state: 'gone', message: ours.message } : { state: 'broken', error: ours });
          return;
        }
        // The connection is gone, or the sign-in has run out: the question waits for it to be back.
        this._place.noticed(ours);
        if (turn.state.state === 'running') {
          turn.state = { ...turn.state, reconnecting: true };
        }
        await this._wait(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]);
        await this._place.connected();
      }
    }
  }

  /** Take an event; true: it was the last. */
  private _take(turn: Turn, event: IServerEvent): boolean {
    const { state } = turn;
    if (state.state !== 'running') {
      return true;
    }
    switch (event.event) {
      case 'queued': {
        const waiting = (event.data as { state: string }).state === 'waiting';
        turn.state = { ...state, step: waiting ? 'waiting' : 'queued', reconnecting: false };
        return false;
      }
      case 'step':
        turn.state = { ...state, step: (event.data as { step: StepName }).step, reconnecting: false };
        return false;
      case 'outcome': {
        const outcome = event.data as Outcome;
        this._id = outcome.conversation_id ?? this._id;
        this._ended(turn, { state: 'ended', outcome });
        return true;
      }
      case 'error': {
        const error = saidBy(event.data as IErrorBody, 200);
        this._ended(turn, error.kind === 'cancelled' ? { state: 'stopped' } : { state: 'broken', error });
        return true;
      }
      default:
        return false;
    }
  }

  private _ended(turn: Turn, state: Turn['state']): void {
    turn.state = state;
    this._kept.set('running', null);
    this._keepId(turn.sourceId);
    this._settled.emit();
  }

  // ── conversations ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Begin a new one; what runs is stopped. */
  clear(sourceId: string | null = null): void {
    this.stop();
    this._turns.forEach(turn => Signal.disconnectAll(turn));
    this._turns = [];
    this._id = null;
    if (sourceId) {
      this._keepId(sourceId);
    }
    this._changed.emit();
  }

  /** Show one of the API's, if it is still wanted when it is here; its answers are fetched as they are looked at. */
  async open(conversationId: string, isWanted: () => boolean = () => true): Promise<ConversationDetail> {
    const found = await this._place.client.json<ConversationDetail>(`api/conversations/${conversationId}`);
    if (!isWanted()) {
      return found;
    }
    this.clear();
    this._id = found.id;
    this._turns = found.turns.map((turn, at) => {
      const asked: Asked = { kind: 'question', question: turn.question };
      const state: Turn['state'] = turn.query_id
        ? { state: 'past', queryId: turn.query_id, loading: false }
        : { state: 'gone', message: turn.asked_back ?? '' };
      const made = new Turn(`${found.id}-${at}`, found.source_id, asked, Date.parse(turn.created_at), state);
      made.askedBack = turn.asked_back ?? '';
      return made;
    });
    this._turns.forEach(turn => this._watch(turn));
    this._keepId(found.source_id);
    this._changed.emit();
    return found;
  }

  /** Fetch a past turn's outcome. */
  async load(turn: Turn): Promise<void> {
    if (turn.state.state !== 'past' || turn.state.loading) {
      return;
    }
    const { queryId } = turn.state;
    turn.state = { ...turn.state, loading: true };
    try {
      const outcome = await this._place.client.json<Outcome>(`answers/${queryId}`, { timeoutMs: 120_000 });
      // Of a question that was stopped there is no outcome; of one that was asked back, the history has no words.
      if (!outcome.outcome) {
        turn.state = { state: 'stopped' };
      } else {
        turn.state = { state: 'ended', outcome: { ...outcome, message: outcome.message || turn.askedBack } };
      }
    } catch (error) {
      this._place.noticed(error);
      const said = error instanceof ApiError && error.kind === 'said';
      turn.state = said ? { state: 'gone', message: error.message } : { state: 'past', queryId, loading: false };
    }
  }

  /** After a reload: the conversation that was shown, and the question that ran. */
  async restore(sourceId: string): Promise<void> {
    const running = this._kept.read<IRunning>('running');
    const kept = this._kept.get(`conversation:${sourceId}`);
    const id = running?.sourceId === sourceId ? running.conversationId : kept;
    if (id) {
      const before = this._turns;
      try {
        // Who asked something meanwhile, or went on to another source, is not sent back.
        await this.open(id, () => this._turns === before);
      } catch (error) {
        this._place.noticed(error);
        this._kept.set(`conversation:${sourceId}`, null);
      }
    }
    if (running && running.sourceId === sourceId && !this.running) {
      this._id = running.conversationId;
      const turn = new Turn(running.key, sourceId, running.asked, running.askedAt, this._begun());
      turn.requestId = running.requestId;
      this._turns = [...this._turns, turn];
      this._watch(turn);
      this._changed.emit();
      await this._follow(turn, running.requestId, null);
      this._withoutTwins(turn);
    }
  }

  /** A question that ended during the reload is in the API's conversation too: it is shown once. */
  private _withoutTwins(turn: Turn): void {
    const id = turn.outcome?.id;
    const twin = (other: Turn): boolean => other !== turn && other.state.state === 'past' && other.state.queryId === id;
    if (id && this._turns.some(twin)) {
      this._turns = this._turns.filter(other => !twin(other));
      this._changed.emit();
    }
  }

  private _keepRunning(turn: Turn): void {
    const { requestId, key, sourceId, asked, askedAt } = turn;
    const running = { requestId, key, sourceId, asked, askedAt, conversationId: this._id };
    this._kept.set('running', JSON.stringify(running));
  }

  private _keepId(sourceId: string): void {
    this._kept.set(`conversation:${sourceId}`, this._id);
  }

  private _watch(turn: Turn): void {
    turn.changed.connect(() => this._changed.emit());
  }

  private _id: string | null = null;
  private _turns: Turn[] = [];
  private _abort: AbortController | null = null;
  private _isDisposed = false;
  private _changed = new Signal<this, void>(this);
  private _settled = new Signal<this, void>(this);
}
