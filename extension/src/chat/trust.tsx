import * as React from 'react';

import { Answer } from '../protocol';
import { useChat } from './context';

/** How an answer came about, with its explanation one click away. */
export function Trust({ answer }: { answer: Answer }): JSX.Element {
  const { trans } = useChat().datapilot;
  const [open, setOpen] = React.useState(false);
  const id = React.useId();
  const words = {
    verified: [
      trans.__('Verified'),
      trans.__('Somebody of your organisation has approved this reading for this question.')
    ],
    governed: [
      trans.__('Governed'),
      trans.__('Computed from the definitions that your organisation has accepted. No model wrote the SQL.')
    ],
    exploratory: [
      trans.__('Exploratory'),
      trans.__('Over an automatic draft of the definitions, or SQL that a person or a model wrote. Check it before you rely on it.')
    ]
  } as const;
  const by = {
    verified: trans.__('Understood by: approved question'),
    local: trans.__('Understood by: DataPilot, on this platform'),
    claude: trans.__('Understood by: the language model'),
    sql: trans.__('SQL run as it was written'),
    plan: trans.__('Reading edited by hand')
  }[answer.engine];
  const [label, why] = words[answer.trust];
  const milliseconds = answer.timings_ms.total;
  return (
    <span
      className="dp-Trust-host"
      onKeyDown={event => {
        if (event.key === 'Escape' && open) {
          event.stopPropagation();
          setOpen(false);
        }
      }}
    >
      <button
        type="button"
        className={`dp-Trust dp-mod-${answer.trust}`}
        aria-expanded={open}
        aria-describedby={open ? id : undefined}
        title={why}
        onClick={() => setOpen(!open)}
      >
        {label}
      </button>
      {open ? (
        <span id={id} role="note" className="dp-Pop">
          <b>{label}.</b> {why}
          <br />
          {by}
          {milliseconds !== null ? ` · ${Math.round(milliseconds).toLocaleString()} ms` : ''}
          {answer.cached ? ` · ${trans.__('from the cache')}` : ''}
        </span>
      ) : null}
    </span>
  );
}
