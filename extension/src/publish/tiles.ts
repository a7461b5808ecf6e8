import { BrowsedTable, ListedFilter, Plan, QueryDetail, QueryOut, RequestedTile, RequestIn } from '../protocol';

/** A question of the notebook with what became of it when the notebook ran. */
export interface IRan {
  /** Counted from 0 among all cells. */
  cell: number;
  question: string;
  /** The history's entry; null: it did not reach the platform (a file of one's own, a cell that never ran). */
  query: QueryOut | null;
}

/** An answer that can become a tile. */
export interface ITile {
  key: string;
  title: string;
  sourceId: string;
  question: string;
  trust: string | null;
  plan: Plan;
  /** The notebook's cell that asks it, counted from 0 among all; null: it was pinned. */
  cell: number | null;
}

/** A notebook as it is sent: what its author wrote, nothing of what it showed. */
export interface INotebook {
  [key: string]: unknown;
  nbformat: 4;
  nbformat_minor: 5;
  metadata: Record<string, never>;
  cells: Record<string, unknown>[];
}

/** What a request becomes: a new dashboard, the next version of one, or more tiles of one. */
export type Target = { kind: 'new' } | { kind: 'version' | 'add'; dashboardId: string };

/** Return cells as a notebook without outputs, counts and metadata. */
export function sourcesOnly(cells: readonly { type: string; source: string }[]): INotebook {
  const made = cells.map(({ type, source }, at) => {
    const cell = { id: `cell-${at}`, cell_type: type, metadata: {}, source };
    return type === 'code' ? { ...cell, execution_count: null, outputs: [] } : cell;
  });
  return { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: made };
}

const REF = /^[A-Za-z_]\w*\.[A-Za-z_]\w*$/;
const bare = (text: string): string => text.replace(/\s+/g, ' ').trim();

/**
 * Return what each question of the notebook came to: the history's entries of this run, in the order in which they ran.
 *
 * `ran`: the history since the run began, the latest first, as the API gives it.
 */
export function matched(asked: readonly { cell: number; question: string }[], ran: readonly QueryOut[]): IRan[] {
  const left = [...ran].reverse().filter(query => query.kind === 'ask' || query.kind === 'plan');
  return asked.map(({ cell, question }) => {
    const at = left.findIndex(query => bare(query.question ?? '') === bare(question));
    return { cell, question, query: at < 0 ? null : left.splice(at, 1)[0] };
  });
}

/** Return a query of the history as a tile; null: it has no plan that could be run for somebody else. */
export function tileOf(key: string, title: string, query: QueryDetail, cell: number | null = null): ITile | null {
  if (query.outcome !== 'answer' || !query.plan) {
    return null;
  }
  const question = query.question ?? '';
  return {
    key,
    title: (title || question).slice(0, 300),
    sourceId: query.source_id,
    question,
    trust: query.trust,
    plan: query.plan as unknown as Plan,
    cell
  };
}

/** The fields of the layer that answers are cut or filtered by: what may be offered to viewers as filters. */
export function fieldsOf(tiles: readonly ITile[]): string[] {
  const found = new Set<string>();
  for (const { plan } of tiles) {
    (plan.dimensions ?? []).filter(item => !item.grain && !item.bins?.length).forEach(item => found.add(item.field));
    [...(plan.filters ?? []), ...(plan.any_of ?? []).flat()].forEach(filter => found.add(filter.field));
  }
  return [...found].filter(field => REF.test(field));
}

/**
 * Return the date by whose name viewers choose a period: the one that the answers are limited or cut by, else the first of
 * their source; null: there is none. Each answer is limited by its own date all the same.
 */
export function dateOf(tiles: readonly ITile[], tables: readonly BrowsedTable[]): string | null {
  const own = tiles.flatMap(({ plan }) => [plan.time, ...(plan.dimensions ?? []).map(item => (item.grain ? item.field : null))]);
  const dates = tables.flatMap(table => table.columns).filter(column => /^(date|timestamp)/.test(column.type));
  return [...own, ...dates.map(column => column.field)].find(field => typeof field === 'string' && REF.test(field)) ?? null;
}

/** What is asked to be published. */
export interface IAsked {
  name: string;
  target: Target;
  tiles: readonly ITile[];
  filters: readonly ListedFilter[];
  /** Null: the answers alone. */
  notebook: INotebook | null;
  interactive: boolean;
  exploratory: boolean;
}

/** Return the request, as the API takes it. */
export function requestOf(asked: IAsked): RequestIn {
  const { target, notebook } = asked;
  const tiles = asked.tiles.map((tile): RequestedTile => {
    const { title, sourceId, question, plan } = tile;
    const cell = notebook ? tile.cell : null;
    return { title: title.slice(0, 300), source_id: sourceId, question: question || null, plan, chart_type: 'auto', cell };
  });
  return {
    name: target.kind === 'new' ? asked.name.trim() : null,
    dashboard_id: target.kind === 'new' ? null : target.dashboardId,
    add_tiles: target.kind === 'add',
    filters: [...asked.filters],
    tiles,
    notebook,
    mode: notebook && asked.interactive ? 'interactive' : 'page',
    exploratory: asked.exploratory
  };
}
