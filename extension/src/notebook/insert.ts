import { JupyterFrontEnd } from '@jupyterlab/application';
import { INotebookTracker, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';

import { Answer } from '../protocol';

/** What is inserted: the answer, the question it answers, and its source's name. */
export interface IWhat {
  answer: Answer;
  question: string;
  source: string;
}

export type Form = 'ask' | 'sql' | 'frame';

/** Return a value as an option of a magic takes it: quoted, by the quotes that it does not hold. */
export function quoted(value: string): string {
  return value.includes('"') ? `'${value.replace(/'/g, '’')}'` : `"${value}"`;
}

/** Return a Python name for a question: « Ventes par région » is `ventes_par_region`. */
export function nameOf(question: string, taken: ReadonlySet<string> = new Set()): string {
  const small = new Set(['le', 'la', 'les', 'de', 'du', 'des', 'd', 'l', 'un', 'une', 'quel', 'quelle', 'quels', 'quelles', 'est', 'sont', 'the', 'of', 'a', 'what', 'is', 'are']);
  const words = question
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(word => word && !small.has(word));
  let made = words.slice(0, 5).join('_').slice(0, 40).replace(/_+$/, '') || 'resultat';
  if (/^[0-9]/.test(made)) {
    made = `r_${made}`;
  }
  let name = made;
  for (let number = 2; taken.has(name); number++) {
    name = `${made}_${number}`;
  }
  return name;
}

/** Return the cells that put an answer into a notebook. `connected`: a cell before them has opened the source. */
export function cellsFor(form: Form, what: IWhat, connected: boolean, taken: ReadonlySet<string> = new Set()): string[] {
  const { answer, question, source } = what;
  const cells = connected ? [] : [`%datapilot source ${quoted(source)}`];
  const flat = question.replace(/\s+/g, ' ').trim();
  const from = `-s ${quoted(source)}`;
  // An edited reading or SQL is not what the question says: what ran is what is kept.
  const asQuestion = form === 'ask' && flat !== '' && answer.engine !== 'plan' && answer.engine !== 'sql';
  if (asQuestion) {
    return [...cells, `%ask ${from} ${flat.startsWith('-') ? '-- ' : ''}${flat}`];
  }
  const title = flat ? `-- ${flat}\n` : '';
  if (form === 'frame') {
    const name = nameOf(flat, taken);
    return [...cells, `%%sql ${from} -o ${name}\n${title}${answer.pretty_sql}`, `df_${name} = ${name}.df\ndf_${name}`];
  }
  return [...cells, `%%sql ${from}\n${title}${answer.pretty_sql}`];
}

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
    const sources = Array.from(panel.model?.cells ?? [], cell => cell.sharedModel.getSource());
    const opening = [`%datapilot source ${quoted(what.source)}`, `%datapilot use ${quoted(what.source)}`];
    const taken = new Set(sources.flatMap(source => Array.from(source.matchAll(/-o (\w+)|^(\w+) =/gm), found => found[1] ?? found[2])));
    const cells = cellsFor(form, what, sources.some(source => opening.some(one => source.includes(one))), taken);
    this._app.shell.activateById(panel.id);
    const active = content.activeCell;
    const reuse = active?.model.type === 'code' && active.model.sharedModel.getSource().trim() === '';
    cells.forEach((source, at) => {
      if (at > 0 || !reuse) {
        NotebookActions.insertBelow(content);
      }
      content.activeCell?.model.sharedModel.setSource(source);
    });
    const last = content.activeCellIndex;
    content.deselectAll();
    const widgets = content.widgets.slice(last - cells.length + 1, last + 1);
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
