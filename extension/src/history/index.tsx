import * as React from 'react';
import { JupyterFrontEnd } from '@jupyterlab/application';
import { Widget } from '@lumino/widgets';

import { Banner } from '../chat/banner';
import { useSignal } from '../chat/context';
import { IconButton } from '../chat/parts';
import { CommandIDs } from '../commands';
import { chatIcon, pencilIcon, sendIcon } from '../icons';
import { Problem, SectionWidget, sentenceOfError } from '../panel';
import { QueryOut, QueryPage } from '../protocol';
import { IDataPilot } from '../tokens';

/** What the history is made with. */
export interface IHistoryOptions {
  app: JupyterFrontEnd;
  datapilot: IDataPilot;
}

const PAUSE_MS = 250;
const PAGE = 30;

/** The section's widget: it is asked again each time it comes into sight. */
class History extends SectionWidget {
  constructor(options: IHistoryOptions, turn: { shown: () => void }) {
    super(() => <HistoryPane {...options} turn={turn} />, 'dp-HistoryPane');
    this._turn = turn;
  }

  protected override onAfterShow(): void {
    this._turn.shown();
  }

  private readonly _turn: { shown: () => void };
}

/** One's own questions, the latest first; found by a word, asked again, opened again in their conversation. */
export function HistoryPane({ app, datapilot, turn }: IHistoryOptions & { turn?: { shown: () => void } }): JSX.Element {
  const { trans, client, sources, language } = datapilot;
  const [typed, setTyped] = React.useState('');
  const [here, setHere] = React.useState(false);
  const [outcome, setOutcome] = React.useState('');
  const [items, setItems] = React.useState<readonly QueryOut[] | null>(null);
  const [next, setNext] = React.useState<string | null>(null);
  const [problem, setProblem] = React.useState<string | null>(null);
  const [again, setAgain] = React.useState(0);
  const abort = React.useRef<AbortController | null>(null);
  useSignal(sources.changed);
  useSignal(datapilot.connectionChanged);
  const sourceId = here ? (sources.current?.id ?? null) : null;

  const load = async (cursor: string | null): Promise<void> => {
    abort.current?.abort();
    const mine = (abort.current = new AbortController());
    const query = { q: typed.trim() || null, source_id: sourceId, outcome: outcome || null, limit: PAGE, cursor };
    try {
      const page = await client.json<QueryPage>('api/queries', { query, signal: mine.signal });
      setItems(known => (cursor ? [...(known ?? []), ...page.items] : page.items));
      setNext(page.next);
      setProblem(null);
    } catch (error) {
      if (!mine.signal.aborted) {
        setProblem(sentenceOfError(datapilot, error));
      }
    }
  };
  React.useEffect(() => {
    const timer = setTimeout(() => void load(null), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed, sourceId, outcome, again, datapilot.connection.state]);
  React.useEffect(() => {
    if (turn) {
      turn.shown = () => setAgain(count => count + 1);
    }
    void datapilot.reconnect();
    return () => abort.current?.abort();
  }, []);

  const execute = async (command: string, args: Record<string, string | boolean>): Promise<void> => {
    try {
      await app.commands.execute(command, args);
    } catch (error) {
      setProblem(sentenceOfError(datapilot, error));
    }
  };
  const ask = async (one: QueryOut, send: boolean): Promise<void> => {
    if (sources.current?.id !== one.source_id) {
      await sources.choose(one.source_id);
    }
    await execute(CommandIDs.ask, { question: one.question ?? '', send });
  };
  const names = new Map((sources.list ?? []).map(source => [source.id, source.name]));
  const outcomes: Record<string, string> = {
    answer: trans.__('Answered'),
    clarification: trans.__('Asked back'),
    refusal: trans.__('Not answered'),
    failure: trans.__('Failed')
  };
  const trust: Record<string, string> = {
    verified: trans.__('Verified'),
    governed: trans.__('Governed'),
    exploratory: trans.__('Exploratory')
  };
  const stood = (one: QueryOut): string =>
    one.status === 'cancelled'
      ? trans.__('Stopped')
      : one.status === 'running' || one.status === 'waiting'
        ? trans.__('Running')
        : one.outcome === 'answer' && one.trust
          ? (trust[one.trust] ?? '')
          : (outcomes[one.outcome ?? 'failure'] ?? '');
  return (
    <div className="dp-Pane-body">
      <Banner datapilot={datapilot} />
      <div className="dp-Row-tools" role="search">
        <input
          type="search"
          className="dp-Search"
          value={typed}
          maxLength={200}
          placeholder={trans.__('Search my questions')}
          aria-label={trans.__('Search my questions')}
          onChange={event => setTyped(event.target.value)}
        />
        <select aria-label={trans.__('What became of it')} value={outcome} onChange={event => setOutcome(event.target.value)}>
          <option value="">{trans.__('All')}</option>
          {Object.entries(outcomes).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </div>
      {sources.current ? (
        <label className="dp-Note">
          <input type="checkbox" checked={here} onChange={event => setHere(event.target.checked)} />{' '}
          {trans.__('Only of “%1”', sources.current.name)}
        </label>
      ) : null}
      <Problem text={problem} />
      {items === null && !problem ? <p className="dp-Note">…</p> : null}
      {items?.length === 0 ? (
        <p className="dp-Note" role="status">
          {typed.trim() || outcome ? trans.__('No question of yours matches.') : trans.__('You have asked nothing yet.')}
        </p>
      ) : null}
      <ul className="dp-Asked" aria-label={trans.__('My questions')}>
        {(items ?? []).map(one => {
          const called = one.question || trans.__('SQL written by hand');
          return (
            <li key={one.id}>
              <div className="dp-Asked-text">
                <span>{called}</span>
                <small>
                  {names.get(one.source_id) ?? '—'} ·{' '}
                  {new Date(one.created_at).toLocaleString(language, { dateStyle: 'short', timeStyle: 'short' })} ·{' '}
                  <span className={`dp-mod-${one.trust ?? one.outcome ?? 'none'}`}>{stood(one)}</span>
                </small>
              </div>
              {one.conversation_id ? (
                <IconButton
                  icon={chatIcon}
                  label={trans.__('Open “%1” in its conversation', called)}
                  onClick={() => void execute(CommandIDs.reopen, { conversation: String(one.conversation_id) })}
                />
              ) : null}
              {one.question ? (
                <>
                  <IconButton icon={pencilIcon} label={trans.__('Change “%1” and ask', called)} onClick={() => void ask(one, false)} />
                  <IconButton icon={sendIcon} label={trans.__('Ask “%1” again', called)} onClick={() => void ask(one, true)} />
                </>
              ) : null}
            </li>
          );
        })}
      </ul>
      {next ? (
        <button type="button" className="dp-Plain" onClick={() => void load(next)}>
          {trans.__('More')}
        </button>
      ) : null}
    </div>
  );
}

/** Make the section's widget. */
export function createHistory(options: IHistoryOptions): Widget {
  return new History(options, { shown: () => undefined });
}
