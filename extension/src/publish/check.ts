import { JupyterFrontEnd } from '@jupyterlab/application';
import { NotebookPanel } from '@jupyterlab/notebook';

import { questionOf } from '../notebook/question';
import { QueryDetail, QueryOut, QueryPage } from '../protocol';
import { IDataPilot } from '../tokens';
import { runFresh } from './run';
import { ISecret, secretsIn } from './secrets';
import { INotebook, IRan, ITile, matched, sourcesOnly, tileOf } from './tiles';

/** What the check of a notebook came to. */
export interface IChecked {
  panelId: string;
  /** The notebook as it was checked, without what it showed. */
  notebook: INotebook;
  secrets: ISecret[];
  failed: { cell: number; message: string } | null;
  tiles: ITile[];
  /** Questions that can be no tile, each with the sentence that says why. */
  left: { cell: number; text: string; why: string }[];
}

/** Check an open notebook: no secret in it, it runs on a fresh kernel, and what each of its questions comes to. */
export async function checkNotebook(
  app: JupyterFrontEnd,
  datapilot: IDataPilot,
  panel: NotebookPanel,
  tell: (done: number, total: number) => void,
  signal: AbortSignal
): Promise<IChecked> {
  const { client, trans } = datapilot;
  const { model } = panel;
  const cells = Array.from(model?.cells ?? [], cell => ({ type: cell.type, source: cell.sharedModel.getSource() }));
  const checked: IChecked = {
    panelId: panel.id,
    notebook: sourcesOnly(cells),
    secrets: secretsIn(cells.map(cell => cell.source)),
    failed: null,
    tiles: [],
    left: []
  };
  if (checked.secrets.length) {
    return checked;
  }
  const code = cells.flatMap((cell, at) => (cell.type === 'code' && cell.source.trim() ? [{ cell: at, source: cell.source }] : []));
  tell(0, code.length);
  const before = await client.json<QueryPage>('api/queries', { query: { limit: 1 }, signal });
  const spec = model?.getMetadata('kernelspec') as { name?: string } | undefined;
  const kernelName = panel.sessionContext.session?.kernel?.name ?? spec?.name ?? 'datapilot';
  checked.failed = await runFresh(app.serviceManager, { path: panel.context.path, kernelName, cells: code }, tell, signal);
  const asked = code.flatMap(({ cell, source }) => {
    const question = questionOf(source);
    return question ? [{ cell, question }] : [];
  });
  const leave = (cell: number, text: string, why: string): void => void checked.left.push({ cell, text, why });
  for (const { cell, question, query } of matched(asked, await since(datapilot, before.items[0]?.id ?? null, signal))) {
    const found = await become({ cell, question, query });
    if (typeof found === 'string') {
      leave(cell, question, found);
    } else {
      checked.tiles.push(found);
    }
  }
  for (const { cell, source } of code) {
    if (/^\s*%%?sql\b/.test(source)) {
      leave(cell, 'SQL', trans.__('SQL has no plan that could be run with each viewer’s rights: ask it with %ask.'));
    }
  }
  checked.left.sort((a, b) => a.cell - b.cell);
  return checked;

  /** Return a question's tile, or the sentence that says why it can be none. */
  async function become({ cell, question, query }: IRan): Promise<ITile | string> {
    if (!query) {
      return trans.__('It did not reach DataPilot: its data are in this notebook’s own files.');
    }
    if (query.outcome === 'answer') {
      const tile = tileOf(`cell-${cell}`, question, await client.json<QueryDetail>(`api/queries/${query.id}`, { signal }), cell);
      return tile ?? trans.__('Its answer has no plan that could be run with each viewer’s rights.');
    }
    return query.outcome === 'clarification'
      ? trans.__('DataPilot asks back what is meant: say it more precisely.')
      : trans.__('It is not answered.');
  }
}

/** The history since an entry, the latest first. */
async function since(datapilot: IDataPilot, last: string | null, signal: AbortSignal): Promise<QueryOut[]> {
  const found: QueryOut[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < 10; page++) {
    const query: Record<string, string | number | null> = { limit: 100, cursor };
    const said: QueryPage = await datapilot.client.json<QueryPage>('api/queries', { query, signal });
    const at = said.items.findIndex(item => item.id === last);
    found.push(...(at < 0 ? said.items : said.items.slice(0, at)));
    cursor = said.next;
    if (at >= 0 || !cursor) {
      break;
    }
  }
  return found;
}
