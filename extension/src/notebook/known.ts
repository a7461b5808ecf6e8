import { ICellModel, isCodeCellModel } from '@jupyterlab/cells';
import { NotebookPanel } from '@jupyterlab/notebook';

import { questionOf } from './question';

/** A question that the open notebook asks, and the first line of what it answered last. */
export interface IKnown {
  question: string;
  answer: string;
  index: number;
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
