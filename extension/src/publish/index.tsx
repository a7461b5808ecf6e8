import * as React from 'react';
import { JupyterFrontEnd } from '@jupyterlab/application';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Widget } from '@lumino/widgets';

import { Banner } from '../chat/banner';
import { useSignal } from '../chat/context';
import { IconButton } from '../chat/parts';
import { dataIcon, publishIcon, stopIcon, trashIcon } from '../icons';
import { questionOf } from '../notebook/question';
import { PagesLink, Problem, Progress, SectionWidget, sentenceOfError } from '../panel';
import { Browsed, QueryDetail, QueryOut, QueryPage, RequestOut } from '../protocol';
import { IDataPilot } from '../tokens';
import { pinsOf } from './pins';
import { runFresh } from './run';
import { ISecret, secretsIn, SecretKind } from './secrets';
import { fieldsOf, IRan, ITile, matched, requestOf, tileOf } from './tiles';

/** What the section for publishing is made with. */
export interface IPublishOptions {
  app: JupyterFrontEnd;
  datapilot: IDataPilot;
  notebooks: INotebookTracker;
}

/** What the check of a notebook came to. */
interface IChecked {
  panelId: string;
  secrets: ISecret[];
  failed: { cell: number; message: string } | null;
  tiles: ITile[];
  /** Questions that can be no tile, each with the sentence that says why. */
  left: { cell: number; text: string; why: string }[];
}

const MOST_TILES = 60;
const MOST_FILTERS = 20;

/** From an open notebook, or from pinned answers, to a request that an administrator decides. */
export function PublishPane({ app, datapilot, notebooks }: IPublishOptions): JSX.Element {
  const { trans, client } = datapilot;
  const pins = pinsOf(client.settings.baseUrl);
  const panel = useCurrent(notebooks);
  const [checking, setChecking] = React.useState<{ done: number; total: number } | null>(null);
  const [checked, setChecked] = React.useState<IChecked | null>(null);
  const [pinned, setPinned] = React.useState<readonly ITile[]>([]);
  const [leftOut, setLeftOut] = React.useState<ReadonlySet<string>>(new Set());
  const [titles, setTitles] = React.useState<Readonly<Record<string, string>>>({});
  const [name, setName] = React.useState<string | null>(null);
  const [labels, setLabels] = React.useState<Readonly<Record<string, string>>>({});
  const [exposed, setExposed] = React.useState<ReadonlySet<string>>(new Set());
  const [sending, setSending] = React.useState(false);
  const [sent, setSent] = React.useState<RequestOut | null>(null);
  const [problem, setProblem] = React.useState<string | null>(null);
  const abort = React.useRef<AbortController | null>(null);
  useSignal(pins.changed);
  useSignal(datapilot.connectionChanged);
  React.useEffect(() => {
    void datapilot.reconnect();
    return () => abort.current?.abort();
  }, []);

  // A pinned answer's plan is asked for when it is needed, with the rights of now.
  React.useEffect(() => {
    let gone = false;
    void Promise.all(
      pins.list.map(pin =>
        client
          .json<QueryDetail>(`api/queries/${pin.queryId}`)
          .then(query => tileOf(`pin-${pin.queryId}`, pin.title, query))
          .catch(error => {
            datapilot.noticed(error);
            return null;
          })
      )
    ).then(found => {
      if (!gone) {
        setPinned(found.flatMap(tile => (tile ? [tile] : [])));
      }
    });
    return () => {
      gone = true;
    };
  }, [pins.list, datapilot.connection.state]);

  const own = checked && checked.panelId === panel?.id ? checked : null;
  const passed = own !== null && own.secrets.length === 0 && own.failed === null;
  const offered = [...(passed ? own.tiles : []), ...pinned];
  const tiles = offered
    .filter(tile => !leftOut.has(tile.key))
    .slice(0, MOST_TILES)
    .map(tile => ({ ...tile, title: titles[tile.key] ?? tile.title }));
  const sources = [...new Set(tiles.map(tile => tile.sourceId))];
  const one = sources.length === 1 ? sources[0] : null;
  const fields = (one ? fieldsOf(tiles) : []).filter(field => labels[field]);

  // The layer's words for the fields; a column that is personal is not offered.
  React.useEffect(() => {
    if (one) {
      client
        .json<Browsed>(`sources/${one}/tables`, { timeoutMs: 150_000 })
        .then(found => {
          const columns = found.tables.flatMap(table => table.columns);
          setLabels(Object.fromEntries(columns.flatMap(c => (c.field && c.label && !c.personal ? [[c.field, c.label]] : []))));
        })
        .catch(error => datapilot.noticed(error));
    }
  }, [one]);

  const check = async (): Promise<void> => {
    if (!panel?.model) {
      return;
    }
    const mine = (abort.current = new AbortController());
    setProblem(null);
    setSent(null);
    setChecked(null);
    try {
      const cells = Array.from(panel.model.cells, cell => ({ type: cell.type, source: cell.sharedModel.getSource() }));
      const secrets = secretsIn(cells.map(cell => cell.source));
      const result: IChecked = { panelId: panel.id, secrets, failed: null, tiles: [], left: [] };
      if (!secrets.length) {
        const code = cells.flatMap((cell, at) => (cell.type === 'code' && cell.source.trim() ? [{ cell: at, source: cell.source }] : []));
        setChecking({ done: 0, total: code.length });
        const before = await client.json<QueryPage>('api/queries', { query: { limit: 1 }, signal: mine.signal });
        const spec = panel.model.getMetadata('kernelspec') as { name?: string } | undefined;
        const kernelName = panel.sessionContext.session?.kernel?.name ?? spec?.name ?? 'datapilot';
        const path = panel.context.path;
        const tell = (done: number, total: number): void => setChecking({ done, total });
        result.failed = await runFresh(app.serviceManager, { path, kernelName, cells: code }, tell, mine.signal);
        const asked = code.flatMap(({ cell, source }) => {
          const question = questionOf(source);
          return question ? [{ cell, question }] : [];
        });
        const ran = matched(asked, await since(before.items[0]?.id ?? null, mine.signal));
        for (const found of ran) {
          await sort(found, result, mine.signal);
        }
        for (const { cell, source } of code) {
          if (/^\s*%%?sql\b/.test(source)) {
            result.left.push({ cell, text: 'SQL', why: trans.__('SQL has no plan that could be run with each viewer’s rights: ask it with %ask.') });
          }
        }
        result.left.sort((a, b) => a.cell - b.cell);
      }
      setChecked(result);
    } catch (error) {
      if (!mine.signal.aborted) {
        setProblem(sentenceOfError(datapilot, error));
      }
    } finally {
      setChecking(null);
    }
  };
  /** The history since an entry, the latest first. */
  const since = async (last: string | null, signal: AbortSignal): Promise<QueryOut[]> => {
    const found: QueryOut[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < 10; page++) {
      const said: QueryPage = await client.json<QueryPage>('api/queries', { query: { limit: 100, cursor }, signal });
      const at = said.items.findIndex(item => item.id === last);
      found.push(...(at < 0 ? said.items : said.items.slice(0, at)));
      cursor = said.next;
      if (at >= 0 || !cursor) {
        break;
      }
    }
    return found;
  };
  /** Put a question among the tiles, or among what is left out with its reason. */
  const sort = async (found: IRan, result: IChecked, signal: AbortSignal): Promise<void> => {
    const { cell, question, query } = found;
    const leave = (why: string): void => void result.left.push({ cell, text: question, why });
    if (!query) {
      leave(trans.__('It did not reach DataPilot: its data are in this notebook’s own files.'));
    } else if (query.outcome === 'answer') {
      const tile = tileOf(`cell-${cell}`, question, await client.json<QueryDetail>(`api/queries/${query.id}`, { signal }));
      if (tile) {
        result.tiles.push(tile);
      } else {
        leave(trans.__('Its answer has no plan that could be run with each viewer’s rights.'));
      }
    } else if (query.outcome === 'clarification') {
      leave(trans.__('DataPilot asks back what is meant: say it more precisely.'));
    } else {
      leave(trans.__('It is not answered.'));
    }
  };

  const called = name ?? (panel && own ? panel.title.label.replace(/\.ipynb$/, '') : '');
  const send = async (): Promise<void> => {
    setSending(true);
    setProblem(null);
    try {
      const filters = fields.filter(field => exposed.has(field)).slice(0, MOST_FILTERS);
      const body = requestOf(called, tiles, filters.map(field => ({ field, label: labels[field] })));
      setSent(await client.json<RequestOut>('api/dashboards/publication-requests', { method: 'POST', body, timeoutMs: 60_000 }));
      pins.remove(pins.list.filter(pin => tiles.some(tile => tile.key === `pin-${pin.queryId}`)).map(pin => pin.queryId));
      setChecked(null);
      setName(null);
      setExposed(new Set());
      setLeftOut(new Set());
    } catch (error) {
      setProblem(sentenceOfError(datapilot, error));
    } finally {
      setSending(false);
    }
  };
  const goTo = (cell: number): void => {
    if (panel) {
      app.shell.activateById(panel.id);
      panel.content.activeCellIndex = cell;
      void panel.content.scrollToItem(cell);
    }
  };
  const kinds: Record<SecretKind, string> = {
    key: trans.__('an access key'),
    password: trans.__('a password'),
    connection: trans.__('a connection with its password'),
    token: trans.__('an access token')
  };
  return (
    <div className="dp-Pane-body">
      <Banner datapilot={datapilot} />
      {sent ? (
        <div className="dp-Message dp-mod-sent" role="status">
          <b>{trans.__('“%1” was sent.', sent.name)}</b>
          <p>{trans.__('An administrator decides who may see it, then it is published. Nothing is visible to anybody until then.')}</p>
          <PagesLink
            datapilot={datapilot}
            icon={publishIcon}
            text={trans.__('Open DataPilot’s pages')}
            label={trans.__('Where an administrator confirms it')}
          />
        </div>
      ) : null}
      <section aria-label={trans.__('Check of the notebook')} className="dp-Check">
        <h3>{trans.__('1. The notebook')}</h3>
        {panel ? (
          <>
            <p>{panel.title.label}</p>
            <p className="dp-Note">
              {trans.__('It is run from top to bottom on a fresh kernel; your own kernel and your outputs are not touched.')}
            </p>
            {checking ? (
              <>
                <Progress
                  label={trans.__('Cell %1 of %2…', Math.min(checking.done + 1, checking.total), checking.total)}
                  share={checking.total ? checking.done / checking.total : null}
                />
                <IconButton icon={stopIcon} className="dp-Stop" label={trans.__('Stop')} text={trans.__('Stop')} onClick={() => abort.current?.abort()} />
              </>
            ) : (
              <button type="button" className="dp-Go" onClick={() => void check()}>
                {own ? trans.__('Check again') : trans.__('Check the notebook')}
              </button>
            )}
          </>
        ) : (
          <p className="dp-Note">{trans.__('Open a notebook to publish its answers, or pin answers of the chat.')}</p>
        )}
        {own ? (
          <ul className="dp-Findings">
            {own.secrets.length === 0 ? (
              <li className="dp-mod-good">{trans.__('No secret in the cells')}</li>
            ) : (
              own.secrets.map(secret => (
                <li key={`${secret.cell}-${secret.line}`} className="dp-mod-bad">
                  {trans.__('Cell %1, line %2 has what looks like %3: take it out before publishing.', secret.cell + 1, secret.line, kinds[secret.kind])}{' '}
                  <button type="button" className="dp-Plain" onClick={() => goTo(secret.cell)}>
                    {trans.__('Show')}
                  </button>
                </li>
              ))
            )}
            {own.secrets.length === 0 && own.failed === null ? (
              <li className="dp-mod-good">{trans.__('It runs from top to bottom')}</li>
            ) : null}
            {own.failed ? (
              <li className="dp-mod-bad">
                {trans.__('Cell %1 fails: %2', own.failed.cell + 1, own.failed.message || trans.__('it was stopped'))}{' '}
                <button type="button" className="dp-Plain" onClick={() => goTo(own.failed?.cell ?? 0)}>
                  {trans.__('Show')}
                </button>
              </li>
            ) : null}
            {passed && own.tiles.length === 0 ? <li className="dp-mod-bad">{trans.__('No question of this notebook can be published.')}</li> : null}
            {own.left.map(left => (
              <li key={`${left.cell}-${left.text}`} className="dp-mod-left">
                {trans.__('Cell %1, “%2”, stays out. %3', left.cell + 1, left.text, left.why)}
              </li>
            ))}
          </ul>
        ) : null}
      </section>
      {offered.length ? (
        <form
          className="dp-Request"
          onSubmit={event => {
            event.preventDefault();
            void send();
          }}
        >
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
                {tile.trust === 'exploratory' ? <span className="dp-Tag dp-mod-warn">{trans.__('Exploratory')}</span> : null}
                {tile.key.startsWith('pin-') ? (
                  <IconButton
                    icon={trashIcon}
                    className="dp-mod-quiet"
                    label={trans.__('Take “%1” away', tile.title)}
                    onClick={() => pins.remove([tile.key.slice(4)])}
                  />
                ) : null}
              </li>
            ))}
          </ul>
          {tiles.some(tile => tile.trust === 'exploratory') ? (
            <p className="dp-Note">{trans.__('Exploratory: no accepted definition stands behind it; check what it counts before you ask.')}</p>
          ) : null}
          <label className="dp-Field">
            {trans.__('Title of the dashboard')}
            <input type="text" required maxLength={100} value={called} onChange={event => setName(event.target.value)} />
          </label>
          {fields.length ? (
            <fieldset>
              <legend>{trans.__('Filters that viewers may set')}</legend>
              {fields.map(field => (
                <label key={field}>
                  <input type="checkbox" checked={exposed.has(field)} onChange={() => setExposed(now => toggled(now, field))} /> {labels[field]}
                </label>
              ))}
            </fieldset>
          ) : null}
          {sources.length > 1 ? (
            <p className="dp-Note">{trans.__('Filters are offered when all answers come from one source.')}</p>
          ) : null}
          <button type="submit" className="dp-Go" disabled={sending || tiles.length === 0 || !called.trim()}>
            {trans.__('Ask for publication')}
          </button>
          <p className="dp-Note">
            {trans.__('Viewers see the answers run with their own rights. A dashboard that is published already is changed on DataPilot’s pages.')}
          </p>
        </form>
      ) : null}
      <Problem text={problem} />
      {!sent ? (
        <PagesLink
          datapilot={datapilot}
          icon={dataIcon}
          text={trans.__('Open DataPilot’s pages')}
          label={trans.__('Dashboards, and where an administrator confirms requests')}
        />
      ) : null}
    </div>
  );
}

function toggled(now: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const made = new Set(now);
  if (!made.delete(key)) {
    made.add(key);
  }
  return made;
}

/** The notebook that is open in front. */
function useCurrent(notebooks: INotebookTracker): NotebookPanel | null {
  const [panel, setPanel] = React.useState<NotebookPanel | null>(notebooks.currentWidget);
  React.useEffect(() => {
    const changed = (): void => setPanel(notebooks.currentWidget);
    notebooks.currentChanged.connect(changed);
    changed();
    return () => {
      notebooks.currentChanged.disconnect(changed);
    };
  }, [notebooks]);
  return panel;
}

/** Make the section's widget. */
export function createPublish(options: IPublishOptions): Widget {
  return new SectionWidget(() => <PublishPane {...options} />, 'dp-Publish');
}
