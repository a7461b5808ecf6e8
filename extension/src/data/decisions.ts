import { ColumnDecision, FileDecision, Understood, UnderstoodColumn, UnderstoodFile } from '../protocol';

export type ColumnType = NonNullable<ColumnDecision['type']>;
export type ColumnFormat = NonNullable<ColumnDecision['format']>;

/** The types that a person may choose. */
export const TYPES: readonly ColumnType[] = ['text', 'integer', 'decimal', 'float', 'boolean', 'date', 'timestamp'];

/** The formats that a type can be written in. */
export function formatsOf(type: string): readonly ColumnFormat[] {
  if (type === 'date' || type === 'timestamp') {
    return ['dmy', 'mdy', 'ymd'];
  }
  return type === 'decimal' || type === 'float' ? ['comma', 'point'] : [];
}

/** The key by which a decision names a column: its header as written, or its name when there is none. */
export function keyOf(column: UnderstoodColumn): string {
  return column.header || column.name;
}

/** A person has to look at it: there are doubts, and nobody has decided. */
export function isDoubtful(column: UnderstoodColumn): boolean {
  return !column.overridden && (column.doubts.length > 0 || column.bad_cell_count > 0);
}

/** The columns of an upload that a person has to look at. */
export function doubtful(understood: Understood): UnderstoodColumn[] {
  return understood.files.flatMap(file => file.columns.filter(isDoubtful));
}

/** Return a decision with one column decided otherwise; what was decided of the others stays. */
export function withColumn(decision: FileDecision, column: UnderstoodColumn, changed: ColumnDecision): FileDecision {
  const key = keyOf(column);
  const columns = { ...(decision.columns ?? {}) };
  const made: ColumnDecision = { ...columns[key], ...changed };
  const type = made.type ?? column.type;
  if (made.format && !formatsOf(type).includes(made.format)) {
    delete made.format;
  }
  columns[key] = made;
  return { ...decision, columns };
}

/** What was read of a column, as a decision: « yes, that is it ». Null: it is of a type that nobody chooses. */
export function asRead(column: UnderstoodColumn): ColumnDecision | null {
  const type = TYPES.find(one => one === column.type);
  if (!type) {
    return null;
  }
  const format = formatsOf(type).find(one => one === column.format);
  return format ? { type, format } : { type };
}

/** Return a decision with a sheet read or left out; null: the last one cannot be left out. */
export function withSheet(decision: FileDecision, all: readonly string[], sheet: string, wanted: boolean): FileDecision | null {
  const now = decision.sheets ?? all;
  const sheets = all.filter(one => (one === sheet ? wanted : now.includes(one)));
  return sheets.length ? { ...decision, sheets: sheets.length === all.length ? null : sheets } : null;
}

/** The sheets of a workbook, as they were first read. */
export function sheetsOf(files: readonly UnderstoodFile[]): string[] {
  return files.flatMap(file => (file.sheet ? [file.sheet] : []));
}
