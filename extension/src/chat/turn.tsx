import * as React from 'react';

import { ClarificationOut, FailureOut, RefusalOut } from '../protocol';
import { pencilIcon, stopIcon } from '../icons';
import { Asked, StepName, Turn } from '../model/turn';
import { AnswerView } from './answer';
import { useChat, useSignal } from './context';
import { IconButton } from './parts';

/** The question, as it was asked. */
export function QuestionView({ turn }: { turn: Turn }): JSX.Element {
  const { datapilot, write } = useChat();
  const host = React.useRef<HTMLDivElement>(null);
  useSignal(turn.changed);
  const running = turn.isRunning;
  const before = React.useRef(false);
  React.useEffect(() => {
    // A question that was just asked comes into sight; so does its answer, from the question on, if it is still there.
    if (running && !turn.before) {
      before.current = true;
      toTop(host.current);
    } else if (before.current && !running) {
      before.current = false;
      toTop(host.current);
    }
  }, [running]);
  return (
    <div className="dp-Question" ref={host}>
      <span className="dp-Question-text">{turn.question || (turn.asked.kind === 'sql' ? turn.asked.sql : '')}</span>
      <IconButton
        icon={pencilIcon}
        className="dp-mod-quiet"
        label={datapilot.trans.__('Ask this question again, changed')}
        onClick={() => write(turn.question)}
      />
    </div>
  );
}

/** Scroll an element to the top of the messages, once it stands in the page. */
function toTop(node: HTMLElement | null): void {
  let tries = 0;
  const scroll = (): void => {
    if (node?.isConnected) {
      node.scrollIntoView({ block: 'start', behavior: 'auto' });
    } else if (node && tries++ < 30) {
      requestAnimationFrame(scroll);
    }
  };
  requestAnimationFrame(scroll);
}

/** What became of a question, whatever it is; each of the four outcomes looks like itself. */
export function TurnView({ turn }: { turn: Turn }): JSX.Element | null {
  const { datapilot, conversation } = useChat();
  const { trans } = datapilot;
  const host = React.useRef<HTMLDivElement>(null);
  useSignal(turn.changed);
  useSignal(conversation.changed);
  const { state } = turn;
  const busy = conversation.running !== null;
  const again = (asked: Asked): void => {
    conversation.again(turn, asked);
  };
  const retry = (
    <button type="button" className="dp-Go" disabled={busy} onClick={() => again(turn.asked)}>
      {trans.__('Ask again')}
    </button>
  );

  // An answer of the past is fetched when it comes into sight.
  React.useEffect(() => {
    if (state.state !== 'past' || state.loading || !host.current) {
      return;
    }
    const seen = new IntersectionObserver(entries => {
      if (entries.some(entry => entry.isIntersecting)) {
        void conversation.load(turn);
      }
    });
    seen.observe(host.current);
    return () => seen.disconnect();
  }, [state.state]);

  const outcome = turn.outcome;
  return (
    <div className="dp-Turn" ref={host} aria-busy={turn.isRunning}>
      {state.state === 'running' ? <Running turn={turn} /> : null}
      {outcome?.outcome === 'answer' ? <AnswerView turn={turn} answer={outcome} busy={busy} onAgain={again} /> : null}
      {outcome?.outcome === 'clarification' ? (
        <Clarification
          outcome={outcome}
          busy={busy}
          retry={retry}
          onChoose={plan => again({ kind: 'plan', question: turn.question, plan })}
        />
      ) : null}
      {outcome?.outcome === 'refusal' ? <Refusal outcome={outcome} retry={retry} /> : null}
      {outcome?.outcome === 'failure' ? <Failure outcome={outcome} retry={retry} /> : null}
      {state.state === 'stopped' ? (
        <div className="dp-Message dp-mod-stopped">
          <p>{trans.__('Stopped. Nothing runs any more for this question.')}</p>
          {retry}
        </div>
      ) : null}
      {state.state === 'broken' ? (
        <div className="dp-Message dp-mod-failure" role="alert">
          <p>{state.error.message || trans.__('DataPilot does not answer at the moment.')}</p>
          {retry}
        </div>
      ) : null}
      {state.state === 'gone' ? (
        <div className="dp-Message dp-mod-stopped">
          <p>{state.message || trans.__('The answer is no longer kept.')}</p>
          {retry}
        </div>
      ) : null}
      {state.state === 'past' ? <p className="dp-Note">{trans.__('Fetching the answer…')}</p> : null}
    </div>
  );
}

/** The steps while it runs, with the time that has gone by, and Stop from the first instant. */
function Running({ turn }: { turn: Turn }): JSX.Element | null {
  const { datapilot, conversation } = useChat();
  const { trans, language } = datapilot;
  const [now, setNow] = React.useState(() => performance.now());
  React.useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 100);
    return () => clearInterval(timer);
  }, []);
  const { state } = turn;
  if (state.state !== 'running') {
    return null;
  }
  const said: Record<StepName, string> = {
    queued: trans.__('Sending the question…'),
    waiting: trans.__('Waiting for a free place…'),
    understand: trans.__('Looking for the tables and the measures…'),
    guard: trans.__('Checking the statement…'),
    execute: trans.__('Running the statement…'),
    answer: trans.__('Writing the answer…')
  };
  const text = state.stopping
    ? trans.__('Stopping…')
    : state.reconnecting
      ? trans.__('Connection lost; the question goes on, I am looking for it…')
      : said[state.step];
  const seconds = Math.max(0, now - state.since) / 1000;
  const spent = seconds.toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  return (
    <div className="dp-Running">
      <span className="dp-Spinner" aria-hidden="true" />
      <span role="status">{text}</span>
      <span className="dp-Elapsed" aria-hidden="true">
        {spent} s
      </span>
      <span className="dp-Spacer" />
      <IconButton
        icon={stopIcon}
        className="dp-Stop"
        label={trans.__('Stop the question')}
        text={trans.__('Stop')}
        disabled={state.stopping}
        onClick={() => conversation.stop()}
      />
    </div>
  );
}

function Clarification(props: {
  outcome: ClarificationOut;
  busy: boolean;
  /** Of a past one the choices are not kept. */
  retry: JSX.Element;
  onChoose: (plan: Record<string, unknown>) => void;
}): JSX.Element {
  const { trans } = useChat().datapilot;
  const { outcome } = props;
  const choices = outcome.choices ?? [];
  return (
    <div className="dp-Message dp-mod-clarification">
      <p>{outcome.message || trans.__('The question was not precise enough.')}</p>
      {choices.length ? (
        <div className="dp-Choices" role="group" aria-label={trans.__('What did you mean?')}>
          {choices.map((choice, at) => (
            <button key={at} type="button" className="dp-Choice" disabled={props.busy} onClick={() => props.onChoose(choice.plan)}>
              <span aria-hidden="true">{at + 1}</span> {choice.label}
            </button>
          ))}
        </div>
      ) : (
        props.retry
      )}
      <Notes notes={outcome.notes} />
    </div>
  );
}

function Refusal({ outcome, retry }: { outcome: RefusalOut; retry: JSX.Element }): JSX.Element {
  const { trans } = useChat().datapilot;
  const why = outcome.message || outcome.missing;
  return (
    <div className="dp-Message dp-mod-refusal">
      <b>{trans.__('I cannot answer that')}</b>
      {why ? <p>{why}</p> : <p>{trans.__('Why is not kept: ask again to read it.')}</p>}
      <Notes notes={outcome.notes} />
      {why ? null : retry}
    </div>
  );
}

function Failure({ outcome, retry }: { outcome: FailureOut; retry: JSX.Element }): JSX.Element {
  const { trans } = useChat().datapilot;
  return (
    <div className="dp-Message dp-mod-failure" role="alert">
      <b>{trans.__('It did not work')}</b>
      <p>{outcome.message}</p>
      {outcome.incident ? <p className="dp-Note">{trans.__('Incident %1', outcome.incident)}</p> : null}
      <Notes notes={outcome.notes} />
      {retry}
    </div>
  );
}

function Notes({ notes }: { notes: readonly string[] | undefined }): JSX.Element {
  return (
    <>
      {(notes ?? []).map(note => (
        <p key={note} className="dp-Note">
          {note}
        </p>
      ))}
    </>
  );
}
