import { ColumnOut } from '../protocol';

/** Pixels of a row: fixed, so that ten thousand rows need no measuring. */
export const ROW_PX = 26;

/** Rows that are asked for at once. */
export const PAGE = 200;

/** The rows drawn above and below what is seen. */
const AROUND = 12;

/** What the rows are sorted by; null: as the answer has them. */
export interface ISort {
  column: number;
  descending: boolean;
}

/** The order after a click on a header: up, down, as it was. Figures begin with the largest. */
export function nextSort(sort: ISort | null, column: number, figures: boolean): ISort | null {
  if (sort?.column !== column) {
    return { column, descending: figures };
  }
  return sort.descending === figures ? { column, descending: !figures } : null;
}

/** The rows that are to be drawn: first and one beyond the last. */
export function windowOf(scrollTop: number, height: number, count: number): [number, number] {
  const first = Math.max(0, Math.floor(scrollTop / ROW_PX) - AROUND);
  return [first, Math.min(count, Math.ceil((scrollTop + height) / ROW_PX) + AROUND)];
}

/** The pages that rows are in. */
export function pagesOf(first: number, beyond: number): number[] {
  const found: number[] = [];
  for (let page = Math.floor(first / PAGE); page * PAGE < beyond; page++) {
    found.push(page);
  }
  return found;
}

/** Whether a column's values stand on the right, as figures do. */
export function isFigure(column: ColumnOut): boolean {
  return ['integer', 'decimal', 'float', 'interval'].includes(column.type) && column.grain === null;
}

// A letter is somewhat narrower than the figure that the unit « ch » is the width of.
const LETTER_CH = 0.9;

/** The width of each column in characters, from what its first rows hold. */
export function widthsOf(columns: readonly ColumnOut[], shown: readonly string[][]): number[] {
  return columns.map((column, at) => {
    const longest = shown.slice(0, 100).reduce((most, row) => Math.max(most, row[at]?.length ?? 0), 0);
    const [label, value] = [column.label.length, longest].map(letters => Math.ceil(letters * LETTER_CH));
    return Math.min(36, Math.max(label + 3, value + 2, 6));
  });
}
