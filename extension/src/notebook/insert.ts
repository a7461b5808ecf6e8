import { JupyterFrontEnd } from '@jupyterlab/application';
import { isCodeCellModel } from '@jupyterlab/cells';
import { INotebookTracker, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';

import { cellsFor, Form, IWhat, openedBy } from './cells';

/** Puts answers into the notebook that is open; opens one when none is. */
export class Inserter {
  constructor(
    private readonly _app: JupyterFrontEnd,
    private readonly _notebooks: INotebookTracker
  ) {}

  /** Insert below the active cell and run what was inserted. */
  async insert(form: Form, what: IWhat): Promise<void> {
    const panel = await this._panel();
    if (!panel) {
      return;
    }
    const { content } = panel;
    const known = Array.from(panel.model?.cells ?? [], cell => ({
      source: cell.sharedModel.getSource(),
      ran: isCodeCellModel(cell) && cell.executionCount !== null
    }));
    const taken = new Set(known.flatMap(cell => Array.from(cell.source.matchAll(/-o (\w+)|^(\w+) =/gm), found => found[1] ?? found[2])));
    const active = content.activeCell;
    const reuse = active?.model.type === 'code' && active.model.sharedModel.getSource().trim() === '';
    const opened = openedBy(known.slice(0, content.activeCellIndex + (reuse ? 0 : 1)), what.source);
    const cells = cellsFor(form, what, opened !== false, taken);
    this._app.shell.activateById(panel.id);
    cells.forEach((source, at) => {
      if (at > 0 || !reuse) {
        NotebookActions.insertBelow(content);
      }
      content.activeCell?.model.sharedModel.setSource(source);
    });
    const last = content.activeCellIndex;
    content.deselectAll();
    const first = typeof opened === 'number' ? content.widgets.slice(opened, opened + 1) : [];
    const widgets = [...first, ...content.widgets.slice(last - cells.length + 1, last + 1)];
    await NotebookActions.runCells(content, widgets, panel.sessionContext);
  }

  private async _panel(): Promise<NotebookPanel | null> {
    const current = this._notebooks.currentWidget;
    if (current) {
      await current.context.ready;
      return current;
    }
    const specs = this._app.serviceManager.kernelspecs.specs;
    const kernelName = specs?.kernelspecs['datapilot'] ? 'datapilot' : specs?.default;
    const made = (await this._app.commands.execute('notebook:create-new', { kernelName })) as NotebookPanel | undefined;
    await made?.context.ready;
    await made?.sessionContext.ready;
    return made ?? null;
  }
}
