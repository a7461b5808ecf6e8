import { ISignal, Signal } from '@lumino/signaling';

import { ApiError } from '../api/errors';
import { Outcome } from '../protocol';

/** The steps that the platform tells of, and waiting for one's turn before them. */
export type StepName = 'queued' | 'waiting' | 'understand' | 'guard' | 'execute' | 'answer';

/** What a question is: in words, a plan (a chip, a choice), or SQL that the person wrote. */
export type Asked =
  | { kind: 'question'; question: string }
  | { kind: 'plan'; question: string; plan: Record<string, unknown> }
  | { kind: 'sql'; question: string; sql: string };

/** Where a question stands. */
export type TurnState =
  | { state: 'running'; step: StepName; since: number; stopping: boolean; reconnecting: boolean }
  | { state: 'ended'; outcome: Outcome }
  | { state: 'stopped' }
  | { state: 'broken'; error: ApiError }
  | { state: 'past'; queryId: string; loading: boolean }
  | { state: 'gone'; message: string };

/** One question of the conversation and what became of it. Editing the reading runs it again in its place. */
export class Turn {
  constructor(
    readonly key: string,
    readonly sourceId: string,
    asked: Asked,
    readonly askedAt: number,
    state: TurnState
  ) {
    this.asked = asked;
    this._state = state;
  }

  /** What was asked last: the question, then what was edited. */
  asked: Asked;

  /** The answer that an edit takes the place of: shown until the new one is there. */
  before: Outcome | null = null;

  /** The id of the first answer's query: what feedback is about. */
  firstQueryId: string | null = null;

  /** What a past question was asked back, as the conversation has kept it. */
  askedBack = '';

  /** The panel's id of the request that runs. */
  requestId: string | null = null;

  get question(): string {
    return this.asked.question;
  }

  get state(): TurnState {
    return this._state;
  }

  set state(state: TurnState) {
    this._state = state;
    if (state.state === 'ended') {
      this.before = null;
      this.firstQueryId = this.firstQueryId ?? state.outcome.id;
    }
    this._changed.emit();
  }

  /** What is to be seen of it: the outcome, or the one before while it runs again. */
  get outcome(): Outcome | null {
    return this._state.state === 'ended' ? this._state.outcome : this.before;
  }

  get isRunning(): boolean {
    return this._state.state === 'running';
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  private _state: TurnState;
  private _changed = new Signal<this, void>(this);
}
