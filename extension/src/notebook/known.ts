import { ICellModel, isCodeCellModel } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';

/** A question that the open notebook asks, and the first line of what it answered last. */
export interface IKnown {
  question: string;
  answer: string;
  index: number;
}

const ASK = /^%%?ask\b((?:\s+-{1,2}[\w-]+(?:[= ](?:"[^"]*"|'[^']*'|\S+))?)*)\s*([\s\S]*)$/;
const FLAGS = /(?:^|\s)(?:--no-chart|--new|--)(?=\s|$)/g;

/** Return the question of a cell's source; null: it is no %ask. */
export function questionOf(source: string): string | null {
  const line = source.trim();
  const whole = line.startsWith('%%ask');
  const found = ASK.exec(whole ? line : (line.split('\n').find(one => one.trim().startsWith('%ask')) ?? '').trim());
  if (!found) {
    return null;
  }
  // A flag takes no value: what the pattern took for one belongs to the question.
  const swallowed = /(?:--no-chart|--new|--)[= ](\S+)\s*$/.exec(found[1]);
  const question = `${swallowed ? swallowed[1] + ' ' : ''}${found[2]}`.replace(FLAGS, ' ').replace(/\s+/g, ' ').trim();
  return question || null;
}

/** Return the first line of what a cell shows as text, which for an answer is its sentence. */
export function sentenceOf(cell: ICellModel): string {
  if (!isCodeCellModel(cell)) {
    return '';
  }
  for (let at = 0; at < cell.outputs.length; at++) {
    const plain = cell.outputs.get(at).data['text/plain'];
    const first = (Array.isArray(plain) ? plain.join('') : String(plain ?? '')).split('\n')[0].trim();
    if (first && first !== '…') {
      return first;
    }
  }
  return '';
}

/** Return the last questions of a notebook, the latest first. */
export function knownOf(panel: NotebookPanel | null, most = 5): IKnown[] {
  const found: IKnown[] = [];
  const cells = panel?.model?.cells;
  for (let index = (cells?.length ?? 0) - 1; cells && index >= 0 && found.length < most; index--) {
    const cell = cells.get(index);
    const question = cell.type === 'code' ? questionOf(cell.sharedModel.getSource()) : null;
    if (question) {
      found.push({ question, answer: sentenceOf(cell), index });
    }
  }
  return found;
}
