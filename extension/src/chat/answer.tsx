import * as React from 'react';

import { Answer } from '../protocol';
import { chartIcon, insertIcon, sqlIcon, tableIcon } from '../icons';
import { Asked, Turn } from '../model/turn';
import { Chart } from './chart';
import { Chips } from './chips';
import { useChat } from './context';
import { Feedback } from './feedback';
import { IconButton, Menu } from './parts';
import { Pin, Pinned } from '../publish/pin';
import { Sql } from './sql';
import { Table } from './table';
import { Trust } from './trust';

type View = 'chart' | 'table' | 'sql';

/** An answer: the sentence, how far it can be trusted, what was understood, and its chart, table and SQL. */
export function AnswerView(props: { turn: Turn; answer: Answer; busy: boolean; onAgain: (asked: Asked) => void }): JSX.Element {
  const { turn, answer, busy, onAgain } = props;
  const { datapilot, inserter } = useChat();
  const { trans } = datapilot;
  const usual: View = answer.chart ? 'chart' : 'table';
  const [view, setView] = React.useState<View>(usual);
  const [pinned, setPinned] = React.useState<Pinned | null>(null);
  React.useEffect(() => {
    setView(now => (now === 'chart' && !answer.chart ? 'table' : now));
    setPinned(null);
  }, [answer]);
  const source = datapilot.sources.list?.find(one => one.id === turn.sourceId)?.name ?? '';
  const what = { answer, question: turn.question, source };
  const views: [View, string, typeof chartIcon, boolean][] = [
    ['chart', trans.__('Chart'), chartIcon, answer.chart !== null],
    ['table', trans.__('Table'), tableIcon, answer.row_count > 0 && !answer.single],
    ['sql', 'SQL', sqlIcon, true]
  ];
  return (
    <div className={busy ? 'dp-Answer dp-mod-busy' : 'dp-Answer'}>
      <div className="dp-Top">
        <Trust answer={answer} />
        <p className="dp-Sentence">{answer.sentence}</p>
      </div>
      {answer.single ? <Figures answer={answer} /> : null}
      <Chips answer={answer} busy={busy} onPlan={plan => onAgain({ kind: 'plan', question: turn.question, plan })} />
      {answer.notes.map(note => (
        <p key={note} className="dp-Note">
          {note}
        </p>
      ))}
      <div className="dp-Views">
        <div role="group" aria-label={trans.__('Show as')} className="dp-Segments">
          {views
            .filter(([, , , there]) => there)
            .map(([name, label, icon]) => (
              <IconButton
                key={name}
                icon={icon}
                label={label}
                text={label}
                pressed={view === name}
                onClick={() => setView(name === view && name === 'sql' && answer.single ? usual : name)}
              />
            ))}
        </div>
        <span className="dp-Spacer" />
        <Pin answer={answer} question={turn.question} sourceId={turn.sourceId} onDone={setPinned} />
        <Menu
          icon={insertIcon}
          className="dp-Insert"
          label={trans.__('Insert into the notebook')}
          text={trans.__('Insert')}
          items={[
            {
              label: trans.__('As a question (%ask)'),
              hint: trans.__('Asked anew each time the notebook runs'),
              run: () => void inserter.insert('ask', what)
            },
            {
              label: trans.__('As SQL with its chart'),
              hint: trans.__('Frozen: the statement that ran'),
              run: () => void inserter.insert('sql', what)
            },
            {
              label: trans.__('As a data frame'),
              hint: trans.__('A named pandas table to go on with'),
              run: () => void inserter.insert('frame', what)
            }
          ]}
        />
      </div>
      {pinned && 'problem' in pinned ? (
        <p className="dp-Note dp-mod-bad" role="alert">
          {pinned.problem}
        </p>
      ) : null}
      {pinned && 'request' in pinned ? (
        <p className="dp-Note" role="status">
          {trans.__('It is asked to be added to “%1”.', pinned.request.name)}{' '}
          <a className="dp-Link" href={pinned.request.url} target="_blank" rel="noreferrer">
            {datapilot.me?.role === 'administrator' ? trans.__('Confirm the publication') : trans.__('See the request')}
          </a>
        </p>
      ) : null}
      {view === 'chart' ? <Chart answer={answer} /> : null}
      {view === 'table' && answer.row_count > 0 && !answer.single ? <Table answer={answer} /> : null}
      {view === 'sql' ? (
        <Sql answer={answer} busy={busy} onRun={sql => onAgain({ kind: 'sql', question: turn.question, sql })} />
      ) : null}
      <Feedback turn={turn} answer={answer} />
    </div>
  );
}

/** One row of figures, large. */
function Figures({ answer }: { answer: Answer }): JSX.Element {
  return (
    <dl className="dp-Figures">
      {answer.columns.map((column, at) => {
        const shown = answer.shown[0]?.[at] ?? '—';
        const change = column.role === 'growth' || column.role === 'difference';
        const up = shown.startsWith('+');
        const tone = change && (up || shown.startsWith('-')) ? (up !== column.lower_is_better ? ' dp-mod-good' : ' dp-mod-bad') : '';
        return (
          <div key={column.name} className={at === 0 ? 'dp-Figure' : 'dp-Figure dp-mod-second'}>
            <dd className={`dp-Figure-value${tone}`}>{shown}</dd>
            <dt>{column.label}</dt>
          </div>
        );
      })}
    </dl>
  );
}
