interface IMeta {
  type: string;
  alternatives: string[];
}

/** What the platform says about a chart: its type and the others that fit. */
export function metaOf(chart: Record<string, unknown> | null): IMeta | null {
  const layout = chart?.['layout'] as { meta?: { datapilot?: Partial<IMeta> } } | undefined;
  const found = layout?.meta?.datapilot;
  return found?.type && found.alternatives ? { type: found.type, alternatives: found.alternatives } : null;
}

/** How many bars lie below one another: each needs its room. */
export function barsOf(chart: Record<string, unknown>): number {
  const traces = (chart['data'] as { type?: string; orientation?: string; y?: unknown[] }[] | undefined) ?? [];
  const lying = traces.filter(trace => trace.type === 'bar' && trace.orientation === 'h');
  return lying.reduce((most, trace) => Math.max(most, trace.y?.length ?? 0), 0);
}
