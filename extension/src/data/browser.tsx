import * as React from 'react';

import { IconButton } from '../chat/parts';
import { chatIcon, tableIcon } from '../icons';
import { Browsed, BrowsedTable, SourceOut } from '../protocol';
import { Problem, sentenceOfError } from '../panel';
import { IDataPilot } from '../tokens';
import { found } from './search';

/** The tables of a source in the layer's words; a question is asked by a click. */
export function Browser(props: { datapilot: IDataPilot; source: SourceOut; onAsk: (question: string) => void }): JSX.Element {
  const { datapilot, source } = props;
  const { trans, client } = datapilot;
  const [browsed, setBrowsed] = React.useState<Browsed | null>(null);
  const [problem, setProblem] = React.useState<string | null>(null);
  const [typed, setTyped] = React.useState('');
  const load = (fresh: boolean): (() => void) => {
    const abort = new AbortController();
    setProblem(null);
    client
      .json<Browsed>(`sources/${source.id}/tables`, { query: { fresh: fresh ? 1 : null }, timeoutMs: 150_000, signal: abort.signal })
      .then(setBrowsed)
      .catch(error => {
        if (!abort.signal.aborted) {
          setProblem(sentenceOfError(datapilot, error));
        }
      });
    return () => abort.abort();
  };
  // What a lost connection kept from being read is read when it is back.
  React.useEffect(() => load(false), [source.id, source.revision, source.refreshed_at, datapilot.connection.state]);
  const tables = found(browsed?.tables ?? [], typed);
  return (
    <section className="dp-Browser" aria-label={trans.__('Tables of %1', source.name)} aria-busy={browsed === null && !problem}>
      {source.problem ? <p className="dp-Note">{source.problem}</p> : null}
      <Problem text={problem} />
      {problem ? (
        <button type="button" className="dp-Go" onClick={() => void load(true)}>
          {trans.__('Try again')}
        </button>
      ) : null}
      {browsed === null && !problem ? <p className="dp-Note">{trans.__('Reading the tables…')}</p> : null}
      {browsed ? (
        <>
          <p className="dp-Note">
            {browsed.accepted
              ? trans.__('Definitions accepted by your organisation.')
              : trans.__('The definitions are an automatic draft: answers are exploratory.')}
          </p>
          {browsed.tables.length > 5 ? (
            <input
              type="search"
              className="dp-Search"
              value={typed}
              placeholder={trans.__('Search tables and columns')}
              aria-label={trans.__('Search tables and columns')}
              onChange={event => setTyped(event.target.value)}
            />
          ) : null}
          {browsed.tables.length === 0 ? <p className="dp-Note">{trans.__('There is no table you may ask.')}</p> : null}
          {typed && tables.length === 0 ? <p role="status">{trans.__('No table or column has “%1”.', typed)}</p> : null}
          <ul className="dp-TableList">
            {tables.map(table => (
              <li key={table.name}>
                <TableView datapilot={datapilot} table={table} open={browsed.tables.length === 1} onAsk={props.onAsk} />
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </section>
  );
}

function TableView(props: { datapilot: IDataPilot; table: BrowsedTable; open: boolean; onAsk: (question: string) => void }): JSX.Element {
  const { datapilot, table } = props;
  const { trans, language } = datapilot;
  const [open, setOpen] = React.useState(props.open);
  const rows = table.row_estimate;
  const types: Record<string, string> = {
    text: trans.__('text'),
    integer: trans.__('whole number'),
    decimal: trans.__('decimal number'),
    float: trans.__('decimal number'),
    boolean: trans.__('yes or no'),
    date: trans.__('date'),
    timestamp: trans.__('date and time'),
    timestamptz: trans.__('date and time'),
    time: trans.__('time of day')
  };
  return (
    <div className="dp-TableView">
      <button type="button" className="dp-TableView-head" aria-expanded={open} onClick={() => setOpen(!open)}>
        <tableIcon.react tag="span" className="dp-Icon" />
        <span className="dp-TableView-name">
          {table.label ?? table.name}
          {table.label ? <small> {table.name.replace(/^main\./, '')}</small> : null}
        </span>
        <small>
          {rows !== null
            ? trans._n('%2 row', '%2 rows', rows, rows.toLocaleString(language))
            : trans._n('%1 column', '%1 columns', table.columns.length)}
        </small>
      </button>
      {open ? (
        <div className="dp-TableView-body">
          {table.description ? <p>{table.description}</p> : null}
          {table.questions.length ? (
            <ul className="dp-Suggestions" aria-label={trans.__('Questions to ask of %1', table.label ?? table.name)}>
              {table.questions.map(question => (
                <li key={question}>
                  <IconButton icon={chatIcon} label={question} text={question} onClick={() => props.onAsk(question)} />
                </li>
              ))}
            </ul>
          ) : null}
          {table.measures.length ? (
            <p className="dp-Note">{trans.__('Measures: %1', table.measures.join(', '))}</p>
          ) : null}
          <table className="dp-Columns">
            <caption className="dp-Hidden">{trans.__('Columns of %1', table.label ?? table.name)}</caption>
            <thead>
              <tr>
                <th scope="col">{trans.__('Column')}</th>
                <th scope="col">{trans.__('Type')}</th>
              </tr>
            </thead>
            <tbody>
              {table.columns.map(column => (
                <tr key={column.name} title={column.description ?? undefined}>
                  <th scope="row">
                    {column.label ?? column.name}
                    {column.label && column.label !== column.name ? <small> {column.name}</small> : null}
                    {column.personal ? <span className="dp-Tag">{trans.__('personal')}</span> : null}
                  </th>
                  <td>{types[column.type] ?? column.type}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </div>
  );
}
