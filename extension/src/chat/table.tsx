import * as React from 'react';

import { Answer, ColumnOut, Rows } from '../protocol';
import { copyIcon } from '../icons';
import { useChat } from './context';
import { IconButton } from './parts';
import { isFigure, ISort, nextSort, PAGE, pagesOf, ROW_PX, widthsOf, windowOf } from './window';

const SEEN_PX = 312;

/** The table of an answer: sorted by the server half, drawn as far as it is seen. */
export function Table({ answer }: { answer: Answer }): JSX.Element {
  const { datapilot } = useChat();
  const { trans } = datapilot;
  const [sort, setSort] = React.useState<ISort | null>(null);
  const [pages, setPages] = React.useState<ReadonlyMap<number, string[][]>>(new Map());
  const [scrollTop, setScrollTop] = React.useState(0);
  const [problem, setProblem] = React.useState<string | null>(null);
  const asked = React.useRef<{ order: string; pages: Set<number> }>({ order: '', pages: new Set() });
  const count = answer.row_count;
  const [first, beyond] = windowOf(scrollTop, SEEN_PX, count);
  const order = sort ? `${sort.column}${sort.descending ? '-' : '+'}` : '';
  const widths = React.useMemo(() => widthsOf(answer.columns, answer.shown), [answer]);

  React.useEffect(() => {
    if (asked.current.order !== order) {
      asked.current = { order, pages: new Set() };
      setPages(new Map());
    }
    for (const page of pagesOf(first, beyond)) {
      const inline = sort === null && Math.min((page + 1) * PAGE, count) <= answer.shown.length;
      if (inline || asked.current.pages.has(page)) {
        continue;
      }
      asked.current.pages.add(page);
      const query = { offset: page * PAGE, limit: PAGE, sort: sort?.column, descending: sort?.descending ? 1 : undefined };
      datapilot.client
        .json<Rows>(`answers/${answer.id}/rows`, { query, timeoutMs: 120_000 })
        .then(found => {
          if (asked.current.order === order) {
            setPages(known => new Map(known).set(page, found.shown));
            setProblem(null);
          }
        })
        .catch((error: Error) => {
          asked.current.pages.delete(page);
          setProblem(error.message);
        });
    }
  }, [answer, order, first, beyond]);

  const rowAt = (at: number): string[] | undefined => {
    if (sort === null && at < answer.shown.length) {
      return answer.shown[at];
    }
    return pages.get(Math.floor(at / PAGE))?.[at % PAGE];
  };
  const template = widths.map(width => `minmax(${width}ch, ${width}fr)`).join(' ');
  const style = { gridTemplateColumns: template };
  const rows: JSX.Element[] = [];
  for (let at = first; at < beyond; at++) {
    const row = rowAt(at);
    rows.push(
      <div key={at} role="row" aria-rowindex={at + 2} className="dp-Row" style={{ ...style, top: at * ROW_PX }}>
        {answer.columns.map((column, place) => (
          <div key={place} role="cell" className={cellClass(column, row?.[place])} title={row?.[place]}>
            {row ? row[place] : '…'}
          </div>
        ))}
      </div>
    );
  }
  const copied = React.useCallback(async () => {
    const query = { sort: sort?.column, descending: sort?.descending ? 1 : undefined };
    return datapilot.client.text(`answers/${answer.id}/copy`, { query, timeoutMs: 120_000 });
  }, [answer, order]);

  return (
    <div className="dp-Table-host">
      <div
        className="dp-Table-scroll"
        tabIndex={0}
        role="group"
        aria-label={trans.__('Table, scrolls')}
        style={{ maxHeight: SEEN_PX }}
        onScroll={event => setScrollTop(event.currentTarget.scrollTop)}
      >
        <div role="table" aria-label={answer.sentence} aria-rowcount={count + 1} aria-colcount={answer.columns.length} className="dp-Table" style={{ minWidth: `${widths.reduce((sum, width) => sum + width, 0)}ch` }}>
          <div role="rowgroup" className="dp-Head">
            <div role="row" aria-rowindex={1} className="dp-Row" style={style}>
              {answer.columns.map((column, place) => {
                const mine = sort?.column === place ? sort : null;
                return (
                  <div
                    key={place}
                    role="columnheader"
                    aria-sort={mine ? (mine.descending ? 'descending' : 'ascending') : 'none'}
                    className={isFigure(column) ? 'dp-Cell dp-mod-figure' : 'dp-Cell'}
                  >
                    <button type="button" title={column.label} onClick={() => setSort(nextSort(sort, place, isFigure(column)))}>
                      {column.label}
                      <span aria-hidden="true" className="dp-Sort">
                        {mine ? (mine.descending ? '↓' : '↑') : ''}
                      </span>
                    </button>
                  </div>
                );
              })}
            </div>
          </div>
          <div role="rowgroup" className="dp-Body" style={{ height: count * ROW_PX }}>
            {rows}
          </div>
        </div>
      </div>
      <div className="dp-Foot">
        <span>
          {answer.truncated
            ? trans._n('%2 row; the source has more', '%2 rows; the source has more', count, count.toLocaleString(datapilot.language))
            : trans._n('%2 row', '%2 rows', count, count.toLocaleString(datapilot.language))}
        </span>
        {problem ? <span role="alert">{problem}</span> : null}
        <span className="dp-Spacer" />
        <CopyButton text={copied} label={trans.__('Copy the table for Excel')} done={trans.__('Copied')} />
        <a className="dp-Link" href={datapilot.client.url(`api/queries/${answer.id}/result`, { format: 'xlsx' })} download>
          Excel
        </a>
        <a className="dp-Link" href={datapilot.client.url(`api/queries/${answer.id}/result`, { format: 'csv' })} download>
          CSV
        </a>
      </div>
    </div>
  );
}

function cellClass(column: ColumnOut, shown: string | undefined): string {
  const parts = ['dp-Cell'];
  if (isFigure(column)) {
    parts.push('dp-mod-figure');
  }
  if (shown && (column.role === 'growth' || column.role === 'difference')) {
    const up = shown.startsWith('+');
    const down = shown.startsWith('-');
    if (up || down) {
      parts.push(up !== column.lower_is_better ? 'dp-mod-good' : 'dp-mod-bad');
    }
  }
  return parts.join(' ');
}

/** Copies a text that may still have to be fetched; says that it did. */
export function CopyButton(props: { text: () => Promise<string>; label: string; done: string }): JSX.Element {
  const [state, setState] = React.useState<'idle' | 'done'>('idle');
  React.useEffect(() => {
    if (state === 'done') {
      const timer = setTimeout(() => setState('idle'), 1_800);
      return () => clearTimeout(timer);
    }
    return undefined;
  }, [state]);
  const copy = async (): Promise<void> => {
    const text = props.text();
    try {
      // The promise goes in: the browser takes a write that began with the click, however long the text takes.
      const blob = text.then(found => new Blob([found], { type: 'text/plain' }));
      await navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
    } catch {
      await navigator.clipboard.writeText(await text);
    }
    setState('done');
  };
  return (
    <span className="dp-Copy">
      <IconButton icon={copyIcon} label={props.label} onClick={() => void copy()} />
      <span role="status" className="dp-Copied">
        {state === 'done' ? props.done : ''}
      </span>
    </span>
  );
}
