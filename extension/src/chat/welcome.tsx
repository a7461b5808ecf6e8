import * as React from 'react';

import { useChat } from './context';

/** What stands where no question has been asked: what can be asked, and first questions from the semantic layer. */
export function Welcome(props: { onAsk: (question: string) => void; known: React.ReactNode }): JSX.Element {
  const { datapilot } = useChat();
  const { trans, sources } = datapilot;
  const { about, current, list } = sources;
  const connected = datapilot.connection.state === 'connected';
  return (
    <div className="dp-Welcome">
      <h2>{trans.__('Ask your data')}</h2>
      {list?.length === 0 ? (
        <p>
          {trans.__('You have no source yet. Drop a CSV or Excel file into the Data section, or ask an administrator to connect a database.')}
        </p>
      ) : current ? (
        <p>{trans.__('Write a question as you would say it. The answer comes with its table, its chart and its SQL.')}</p>
      ) : null}
      {current && connected && !about ? <p className="dp-Note">{trans.__('Reading %1…', current.name)}</p> : null}
      {about ? (
        <>
          <p className="dp-Note">
            {about.accepted
              ? trans.__('%1: %2 tables, definitions accepted by your organisation.', about.name, about.tables)
              : trans.__('%1: %2 tables. The definitions are an automatic draft: answers are exploratory.', about.name, about.tables)}
          </p>
          {about.questions.length ? (
            <ul className="dp-Suggestions" aria-label={trans.__('First questions')}>
              {about.questions.slice(0, 6).map(question => (
                <li key={question}>
                  <button type="button" onClick={() => props.onAsk(question)}>
                    {question}
                  </button>
                </li>
              ))}
            </ul>
          ) : null}
        </>
      ) : null}
      {props.known}
    </div>
  );
}
