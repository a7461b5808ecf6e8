import * as React from 'react';
import { JupyterFrontEnd } from '@jupyterlab/application';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { Widget } from '@lumino/widgets';

import { Banner } from '../chat/banner';
import { useSignal } from '../chat/context';
import { IconButton } from '../chat/parts';
import { dataIcon, stopIcon } from '../icons';
import { PagesLink, Problem, Progress, SectionWidget, sentenceOfError } from '../panel';
import { QueryDetail, RequestOut } from '../protocol';
import { IDataPilot } from '../tokens';
import { checkNotebook, IChecked } from './check';
import { Findings } from './findings';
import { RequestForm } from './form';
import { Mine } from './mine';
import { pinsOf } from './pins';
import { IAsked, ITile, requestOf, tileOf } from './tiles';

/** What the section for publishing is made with. */
export interface IPublishOptions {
  app: JupyterFrontEnd;
  datapilot: IDataPilot;
  notebooks: INotebookTracker;
}

/** From an open notebook, or from pinned answers, to a request that an administrator decides; and what became of it. */
export function PublishPane({ app, datapilot, notebooks }: IPublishOptions): JSX.Element {
  const { trans, client } = datapilot;
  const pins = pinsOf(client.settings.baseUrl);
  const panel = useCurrent(notebooks);
  const [checking, setChecking] = React.useState<{ done: number; total: number } | null>(null);
  const [checked, setChecked] = React.useState<IChecked | null>(null);
  const [pinned, setPinned] = React.useState<readonly ITile[]>([]);
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

  const check = async (): Promise<void> => {
    if (!panel?.model) {
      return;
    }
    const mine = (abort.current = new AbortController());
    setProblem(null);
    setSent(null);
    setChecked(null);
    try {
      const tell = (done: number, total: number): void => setChecking({ done, total });
      setChecked(await checkNotebook(app, datapilot, panel, tell, mine.signal));
    } catch (error) {
      if (!mine.signal.aborted) {
        setProblem(sentenceOfError(datapilot, error));
      }
    } finally {
      setChecking(null);
    }
  };
  const send = async (asked: IAsked): Promise<void> => {
    setSending(true);
    setProblem(null);
    try {
      const body = requestOf(asked);
      setSent(await client.json<RequestOut>('api/dashboards/publication-requests', { method: 'POST', body, timeoutMs: 60_000 }));
      pins.remove(pins.list.filter(pin => asked.tiles.some(tile => tile.key === `pin-${pin.queryId}`)).map(pin => pin.queryId));
      setChecked(null);
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
  return (
    <div className="dp-Pane-body">
      <Banner datapilot={datapilot} />
      {sent ? <Sent datapilot={datapilot} request={sent} /> : null}
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
              <button type="button" className={own ? 'dp-Plain' : 'dp-Go'} onClick={() => void check()}>
                {own ? trans.__('Check again') : trans.__('Check the notebook')}
              </button>
            )}
          </>
        ) : (
          <p className="dp-Note">{trans.__('Open a notebook to publish its answers, or pin answers of the chat.')}</p>
        )}
        {own ? <Findings datapilot={datapilot} checked={own} onShow={goTo} /> : null}
      </section>
      {offered.length ? (
        <RequestForm
          key={own ? own.panelId : 'pins'}
          datapilot={datapilot}
          offered={offered}
          notebook={passed && own.tiles.length ? own.notebook : null}
          proposed={panel && own ? panel.title.label.replace(/\.ipynb$/, '') : ''}
          sending={sending}
          onUnpin={queryId => pins.remove([queryId])}
          onSend={asked => void send(asked)}
        />
      ) : null}
      <Problem text={problem} />
      <Mine datapilot={datapilot} sent={sent} onDecided={() => setSent(null)} />
      <PagesLink
        datapilot={datapilot}
        icon={dataIcon}
        text={trans.__('Open DataPilot’s pages')}
        label={trans.__('Dashboards, and where an administrator confirms requests')}
      />
    </div>
  );
}

/** A request that was sent: what happens now, and the page where it is decided. */
export function Sent({ datapilot, request }: { datapilot: IDataPilot; request: RequestOut }): JSX.Element {
  const { trans } = datapilot;
  const decides = datapilot.me?.role === 'administrator';
  return (
    <div className="dp-Message dp-mod-sent" role="status">
      <b>{trans.__('“%1” was sent.', request.name)}</b>
      <p>
        {decides
          ? trans.__('Nothing is visible to anybody yet: look at it and choose who may see it on its page.')
          : trans.__('An administrator decides who may see it, then it is published. Nothing is visible to anybody until then.')}
      </p>
      <a className="dp-Go" href={request.url} target="_blank" rel="noreferrer">
        {decides ? trans.__('Confirm the publication') : trans.__('See the request')}
      </a>
    </div>
  );
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
