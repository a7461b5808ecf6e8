import { BrowsedTable } from '../protocol';

/** Tables of a source whose name, label or columns hold what was typed; accents and case do not matter. */
export function found(tables: readonly BrowsedTable[], typed: string): BrowsedTable[] {
  const wanted = bare(typed);
  return tables.filter(
    table =>
      !wanted ||
      [table.name, table.label ?? '', ...table.columns.flatMap(column => [column.name, column.label ?? ''])].some(text =>
        bare(text).includes(wanted)
      )
  );
}

function bare(text: string): string {
  return text.normalize('NFD').replace(/[\u0300-\u036f]/g, '').toLowerCase().trim();
}
