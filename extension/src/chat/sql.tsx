import * as React from 'react';

import { Answer } from '../protocol';
import { useChat } from './context';
import { CopyButton } from './table';

/** The SQL that ran; edited, it runs again through the guard, as SQL that a person wrote. */
export function Sql(props: { answer: Answer; busy: boolean; onRun: (sql: string) => void }): JSX.Element {
  const { answer, busy } = props;
  const { trans } = useChat().datapilot;
  const [text, setText] = React.useState(answer.pretty_sql);
  React.useEffect(() => setText(answer.pretty_sql), [answer]);
  const changed = text.trim() !== answer.pretty_sql.trim();
  const run = (): void => {
    if (text.trim() && !busy) {
      props.onRun(text);
    }
  };
  return (
    <div className="dp-Sql">
      <textarea
        aria-label={trans.__('SQL that ran; edit it and run it again')}
        spellCheck={false}
        rows={Math.min(18, Math.max(4, text.split('\n').length))}
        value={text}
        onChange={event => setText(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            run();
          }
        }}
      />
      <div className="dp-Foot">
        <span>{changed ? trans.__('Edited: Ctrl+Enter runs it') : trans.__('Read only: it went through the guard')}</span>
        <span className="dp-Spacer" />
        <CopyButton text={() => Promise.resolve(text)} label={trans.__('Copy the SQL')} done={trans.__('Copied')} />
        {changed ? (
          <button type="button" className="dp-Plain" onClick={() => setText(answer.pretty_sql)}>
            {trans.__('As it was')}
          </button>
        ) : null}
        <button type="button" className="dp-Go" disabled={busy || !changed} onClick={run}>
          {trans.__('Run')}
        </button>
      </div>
    </div>
  );
}
