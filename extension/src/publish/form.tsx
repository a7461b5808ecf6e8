import * as React from 'react';

import { IconButton } from '../chat/parts';
import { trashIcon } from '../icons';
import { Browsed, ListedFilter } from '../protocol';
import { IDataPilot } from '../tokens';
import { usePublishables } from './pages';
import { dateOf, fieldsOf, IAsked, INotebook, ITile, Target } from './tiles';

const MOST_TILES = 60;
const MOST_FILTERS = 20;

/** What is shown, as what, with which filters: from the answers that may be published to what is asked. */
export function RequestForm(props: {
  datapilot: IDataPilot;
  offered: readonly ITile[];
  /** Null: there are pinned answers alone. */
  notebook: INotebook | null;
  /** The name that a new dashboard is given until another is typed. */
  proposed: string;
  sending: boolean;
  onUnpin: (queryId: string) => void;
  onSend: (asked: IAsked) => void;
}): JSX.Element {
  const { datapilot, offered } = props;
  const { trans } = datapilot;
  const [leftOut, setLeftOut] = React.useState<ReadonlySet<string>>(new Set());
  const [titles, setTitles] = React.useState<Readonly<Record<string, string>>>({});
  const [name, setName] = React.useState<string | null>(null);
  const [exposed, setExposed] = React.useState<ReadonlySet<string>>(new Set());
  const [whole, setWhole] = React.useState(true);
  const [interactive, setInteractive] = React.useState(false);
  const [into, setInto] = React.useState('');
  const [known, setKnown] = React.useState(false);
  const radio = React.useId();

  const tiles = offered
    .filter(tile => !leftOut.has(tile.key))
    .slice(0, MOST_TILES)
    .map(tile => ({ ...tile, title: titles[tile.key] ?? tile.title }));
  const sources = [...new Set(tiles.map(tile => tile.sourceId))];
  const possible = useFilters(datapilot, tiles, sources.length === 1 ? sources[0] : null);
  const dashboards = usePublishables(datapilot);
  const notebook = whole ? props.notebook : null;
  const doubtful = tiles.some(tile => tile.trust === 'exploratory');
  const target: Target = !into ? { kind: 'new' } : { kind: notebook ? 'version' : 'add', dashboardId: into };
  const called = name ?? props.proposed;
  const trust: Record<string, string> = {
    verified: trans.__('Verified'),
    governed: trans.__('Governed'),
    exploratory: trans.__('Exploratory')
  };
  const send = (event: React.FormEvent): void => {
    event.preventDefault();
    const filters = possible.filter(one => exposed.has(keyOf(one))).slice(0, MOST_FILTERS);
    props.onSend({ name: called, target, tiles, filters, notebook, interactive, exploratory: doubtful && known });
  };
  return (
    <form className="dp-Request" onSubmit={send}>
      <h3>{trans.__('2. What is shown')}</h3>
      <ul className="dp-Tiles">
        {offered.map(tile => (
          <li key={tile.key}>
            <input
              type="checkbox"
              aria-label={trans.__('Publish “%1”', tile.title)}
              checked={!leftOut.has(tile.key)}
              onChange={() => setLeftOut(now => toggled(now, tile.key))}
            />
            <input
              type="text"
              maxLength={300}
              aria-label={trans.__('Title of “%1”', tile.question)}
              value={titles[tile.key] ?? tile.title}
              onChange={event => setTitles(now => ({ ...now, [tile.key]: event.target.value }))}
            />
            {tile.trust ? <span className={`dp-Tag dp-mod-${tile.trust}`}>{trust[tile.trust] ?? tile.trust}</span> : null}
            {tile.cell === null ? (
              <IconButton
                icon={trashIcon}
                className="dp-mod-quiet"
                label={trans.__('Take “%1” away', tile.title)}
                onClick={() => props.onUnpin(tile.key.slice(4))}
              />
            ) : null}
          </li>
        ))}
      </ul>
      {doubtful ? (
        <label className="dp-Check-line">
          <input type="checkbox" required checked={known} onChange={event => setKnown(event.target.checked)} />
          <span>
            {trans.__('I know that exploratory answers are among them: no accepted definition stands behind them, and the administrator has to accept them expressly.')}
          </span>
        </label>
      ) : null}
      {props.notebook ? (
        <label className="dp-Check-line">
          <input type="checkbox" checked={whole} onChange={event => setWhole(event.target.checked)} />
          <span>
            {trans.__('With the texts and the code of the notebook')}
            <small>{trans.__('In its order; what its cells show now is not sent.')}</small>
          </span>
        </label>
      ) : null}
      {notebook ? (
        <fieldset>
          <legend>{trans.__('Kind of page')}</legend>
          <label className="dp-Check-line">
            <input type="radio" name={radio} checked={!interactive} onChange={() => setInteractive(false)} />
            <span>
              {trans.__('Page')}
              <small>{trans.__('Opens at once; viewers filter it.')}</small>
            </span>
          </label>
          <label className="dp-Check-line">
            <input type="radio" name={radio} checked={interactive} onChange={() => setInteractive(true)} />
            <span>
              {trans.__('Interactive page')}
              <small>{trans.__('The notebook’s own buttons and sliders work; it takes a moment to start for each viewer.')}</small>
            </span>
          </label>
        </fieldset>
      ) : null}
      <label className="dp-Field">
        {trans.__('Publish as')}
        <select value={into} onChange={event => setInto(event.target.value)}>
          <option value="">{trans.__('A new dashboard')}</option>
          {dashboards.map(one => (
            <option key={one.id} value={one.id}>
              {notebook ? trans.__('A new version of “%1”', one.name) : trans.__('Added to “%1”', one.name)}
            </option>
          ))}
        </select>
      </label>
      {target.kind === 'new' ? (
        <label className="dp-Field">
          {trans.__('Title of the dashboard')}
          <input type="text" required maxLength={100} value={called} onChange={event => setName(event.target.value)} />
        </label>
      ) : null}
      {possible.length ? (
        <fieldset>
          <legend>{trans.__('Filters that viewers may set')}</legend>
          {possible.map(one => (
            <label key={keyOf(one)} className="dp-Check-line">
              <input type="checkbox" checked={exposed.has(keyOf(one))} onChange={() => setExposed(now => toggled(now, keyOf(one)))} />
              <span>{one.label}</span>
            </label>
          ))}
        </fieldset>
      ) : null}
      {sources.length > 1 ? <p className="dp-Note">{trans.__('Filters are offered when all answers come from one source.')}</p> : null}
      <button type="submit" className="dp-Go" disabled={props.sending || tiles.length === 0 || (target.kind === 'new' && !called.trim())}>
        {trans.__('Ask for publication')}
      </button>
      <p className="dp-Note">{trans.__('Viewers see the answers run with their own rights. Nothing is visible before an administrator confirms it.')}</p>
    </form>
  );
}

const keyOf = (filter: ListedFilter): string => `${filter.kind}:${filter.field}`;

/** The filters that may be offered, in the layer's words; a column that is personal is not. */
function useFilters(datapilot: IDataPilot, tiles: readonly ITile[], sourceId: string | null): ListedFilter[] {
  const { trans, client } = datapilot;
  const [browsed, setBrowsed] = React.useState<Browsed | null>(null);
  React.useEffect(() => {
    setBrowsed(null);
    if (!sourceId) {
      return;
    }
    const abort = new AbortController();
    client
      .json<Browsed>(`sources/${sourceId}/tables`, { timeoutMs: 150_000, signal: abort.signal })
      .then(setBrowsed)
      .catch(error => datapilot.noticed(error));
    return () => abort.abort();
  }, [sourceId]);
  if (!browsed) {
    return [];
  }
  const columns = browsed.tables.flatMap(table => table.columns);
  const labels = new Map(columns.flatMap(one => (one.field && one.label && !one.personal ? [[one.field, one.label] as const] : [])));
  const date = dateOf(tiles, browsed.tables);
  const period: ListedFilter[] = date ? [{ field: date, label: trans.__('Period'), values: null, kind: 'period' }] : [];
  const values = fieldsOf(tiles).flatMap((field): ListedFilter[] => {
    const label = labels.get(field);
    return label && field !== date ? [{ field, label, values: null, kind: 'values' }] : [];
  });
  return [...period, ...values];
}

function toggled(now: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const made = new Set(now);
  if (!made.delete(key)) {
    made.add(key);
  }
  return made;
}
