import * as React from 'react';

import { Problem, sentenceOfError } from '../panel';
import { RequestOut, RequestsOut } from '../protocol';
import { IDataPilot } from '../tokens';
import { dashboardUrl } from './pages';

const SHOWN = 5;

/** One's own requests and what became of them; asked again when one comes back from the page where they are decided. */
export function Mine(props: { datapilot: IDataPilot; sent: RequestOut | null; onDecided: () => void }): JSX.Element | null {
  const { datapilot, sent } = props;
  const { trans, client, language } = datapilot;
  const [items, setItems] = React.useState<readonly RequestOut[]>([]);
  const [limit, setLimit] = React.useState(SHOWN);
  const [more, setMore] = React.useState(false);
  const [problem, setProblem] = React.useState<string | null>(null);
  const [again, setAgain] = React.useState(0);
  React.useEffect(() => {
    const abort = new AbortController();
    client
      .json<RequestsOut>('api/dashboards/publication-requests/mine', { query: { limit }, signal: abort.signal })
      .then(found => {
        setItems(found.items);
        setMore(found.next !== null);
        setProblem(null);
        if (sent && found.items.some(one => one.id === sent.id && one.status !== 'requested')) {
          props.onDecided();
        }
      })
      .catch(error => {
        if (!abort.signal.aborted) {
          setProblem(sentenceOfError(datapilot, error));
        }
      });
    return () => abort.abort();
  }, [sent, limit, again, datapilot.connection.state]);
  React.useEffect(() => {
    const back = (): void => {
      if (document.visibilityState === 'visible') {
        setAgain(count => count + 1);
      }
    };
    document.addEventListener('visibilitychange', back);
    return () => document.removeEventListener('visibilitychange', back);
  }, []);
  const words: Record<RequestOut['status'], string> = {
    requested: trans.__('Waits for an administrator'),
    accepted: trans.__('Published'),
    rejected: trans.__('Rejected')
  };
  if (!items.length && !problem) {
    return null;
  }
  return (
    <section aria-label={trans.__('My requests')} className="dp-Mine">
      <h3>{trans.__('My requests')}</h3>
      <Problem text={problem} />
      <ul className="dp-Asked">
        {items.map(one => (
          <li key={one.id}>
            <div className="dp-Asked-text">
              <span>{one.name}</span>
              <small>
                {new Date(one.requested_at).toLocaleString(language, { dateStyle: 'short', timeStyle: 'short' })}
              </small>
              {one.reason ? <small>{trans.__('“%1”', one.reason)}</small> : null}
            </div>
            <span className={`dp-Tag dp-mod-${one.status}`}>{words[one.status]}</span>
            {one.status === 'accepted' && one.dashboard_id ? (
              <a className="dp-Link" href={dashboardUrl(one)} target="_blank" rel="noreferrer" aria-label={trans.__('Open “%1”', one.name)}>
                {trans.__('Open')}
              </a>
            ) : (
              <a className="dp-Link" href={one.url} target="_blank" rel="noreferrer" aria-label={trans.__('See the request for “%1”', one.name)}>
                {trans.__('See')}
              </a>
            )}
          </li>
        ))}
      </ul>
      {more ? (
        <button type="button" className="dp-Plain" onClick={() => setLimit(now => Math.min(200, now + 20))}>
          {trans.__('More')}
        </button>
      ) : null}
    </section>
  );
}
