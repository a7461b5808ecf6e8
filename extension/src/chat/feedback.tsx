import * as React from 'react';

import { Answer, FeedbackOut } from '../protocol';
import { downIcon, upIcon } from '../icons';
import { Turn } from '../model/turn';
import { useChat } from './context';
import { IconButton } from './parts';

type State = 'none' | 'up' | 'correcting' | 'sent';

/**
 * Was it right? A thumb up can be proposed as a verified answer; a thumb down opens a correction: a comment, and the reading
 * or the SQL as the person has put it right with the chips.
 */
export function Feedback({ turn, answer }: { turn: Turn; answer: Answer }): JSX.Element {
  const { datapilot } = useChat();
  const { trans, client } = datapilot;
  const [state, setState] = React.useState<State>('none');
  const [said, setSaid] = React.useState('');
  const [problem, setProblem] = React.useState<string | null>(null);
  const about = turn.firstQueryId ?? answer.id;
  const edited = about !== answer.id;

  const send = async (body: Record<string, unknown>): Promise<void> => {
    try {
      const kept = await client.json<FeedbackOut>(`api/queries/${about}/feedback`, { method: 'POST', body });
      setProblem(null);
      setSaid(
        kept.verified_question_id
          ? trans.__('Thank you. The proposal waits for an administrator.')
          : trans.__('Thank you, it has been noted.')
      );
      setState(body['verdict'] === 'up' && !body['propose_verified'] ? 'up' : 'sent');
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  const correction = (): Record<string, unknown> => {
    if (!edited) {
      return {};
    }
    return answer.plan ? { plan: answer.plan } : { sql: answer.sql };
  };
  return (
    <div className="dp-Feedback">
      <IconButton
        icon={upIcon}
        label={trans.__('This answer is right')}
        pressed={state === 'up'}
        onClick={() => void send({ verdict: 'up', comment: '', propose_verified: false })}
      />
      <IconButton
        icon={downIcon}
        label={trans.__('This answer is not right: propose a correction')}
        pressed={state === 'correcting'}
        onClick={() => setState(state === 'correcting' ? 'none' : 'correcting')}
      />
      {state === 'up' && turn.question && answer.plan ? (
        <button
          type="button"
          className="dp-Plain"
          onClick={() => void send({ verdict: 'up', comment: '', plan: answer.plan, propose_verified: true })}
        >
          {trans.__('Propose it as a verified answer')}
        </button>
      ) : null}
      <span role="status" className="dp-Said">
        {said}
      </span>
      {state === 'correcting' ? (
        <Correction
          edited={edited}
          canPropose={edited && answer.plan !== null && turn.question !== ''}
          onSend={(comment, propose) => void send({ verdict: 'down', comment, ...correction(), propose_verified: propose })}
          onClose={() => setState('none')}
        />
      ) : null}
      {problem ? <p role="alert">{problem}</p> : null}
    </div>
  );
}

function Correction(props: {
  edited: boolean;
  canPropose: boolean;
  onSend: (comment: string, propose: boolean) => void;
  onClose: () => void;
}): JSX.Element {
  const { trans } = useChat().datapilot;
  const [comment, setComment] = React.useState('');
  const [propose, setPropose] = React.useState(false);
  return (
    <form
      className="dp-Editor"
      aria-label={trans.__('Propose a correction')}
      onSubmit={event => {
        event.preventDefault();
        props.onSend(comment, propose);
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          props.onClose();
        }
      }}
    >
      <textarea
        rows={2}
        autoFocus
        aria-label={trans.__('What should it have been?')}
        placeholder={trans.__('What should it have been?')}
        value={comment}
        onChange={event => setComment(event.target.value)}
      />
      <p className="dp-Note">
        {props.edited
          ? trans.__('Your corrected version (the chips or the SQL as they are now) is sent with it.')
          : trans.__('Tip: put the reading right with the chips, or edit the SQL, before you send: the corrected version goes with it.')}
      </p>
      {props.canPropose ? (
        <label>
          <input type="checkbox" checked={propose} onChange={event => setPropose(event.target.checked)} />{' '}
          {trans.__('Propose the corrected reading as the verified answer to this question')}
        </label>
      ) : null}
      <button type="submit" className="dp-Go" disabled={!comment.trim() && !props.edited}>
        {trans.__('Send')}
      </button>
    </form>
  );
}
