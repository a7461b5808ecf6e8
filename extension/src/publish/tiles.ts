import { Plan, QueryDetail, QueryOut, RequestedTile, RequestIn } from '../protocol';

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
}

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
export function tileOf(key: string, title: string, query: QueryDetail): ITile | null {
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
    plan: query.plan as unknown as Plan
  };
}

/** The fields of the layer that answers are cut or filtered by: what may be offered to viewers as filters. */
export function fieldsOf(tiles: readonly ITile[]): string[] {
  const found = new Set<string>();
  for (const { plan } of tiles) {
    (plan.dimensions ?? []).filter(item => !item.grain && !item.bins?.length).forEach(item => found.add(item.field));
    [...(plan.filters ?? []), ...(plan.any_of ?? []).flat()].forEach(filter => found.add(filter.field));
  }
  return [...found].filter(field => /^[A-Za-z_]\w*\.[A-Za-z_]\w*$/.test(field));
}

/** Return the request, as the API takes it. */
export function requestOf(name: string, tiles: readonly ITile[], filters: readonly { field: string; label: string }[]): RequestIn {
  const asked = tiles.map((tile): RequestedTile => {
    const { title, sourceId, question, plan } = tile;
    return { title: title.slice(0, 300), source_id: sourceId, question: question || null, plan, chart_type: 'auto' };
  });
  return { name: name.trim(), dashboard_id: null, filters: filters.map(one => ({ ...one, values: null })), tiles: asked };
}
