import * as React from 'react';

import { FileDecision, Understood, UnderstoodColumn, UnderstoodFile } from '../protocol';
import { IDataPilot } from '../tokens';
import { asRead, ColumnFormat, ColumnType, formatsOf, isDoubtful, sheetsOf, TYPES, withColumn, withSheet } from './decisions';

const ROWS = 5;

interface IPreviewProps {
  datapilot: IDataPilot;
  decision: FileDecision;
  busy: boolean;
  onDecide: (decision: FileDecision) => void;
}

/** What was understood of an upload: what is doubtful first, then its first rows; each decision is read again at once. */
export function Preview(props: IPreviewProps & { understood: Understood }): JSX.Element {
  const { datapilot, understood, decision, busy, onDecide } = props;
  const { trans } = datapilot;
  // The sheets as they were first read: one that is left out can be taken back.
  const [all] = React.useState(() => sheetsOf(understood.files));
  // What was decided shows at once, also while the file is read again.
  const wanted = decision.sheets ?? all;
  return (
    <div className="dp-Preview" aria-busy={busy}>
      {all.length > 1 ? (
        <fieldset disabled={busy}>
          <legend>{trans.__('Sheets to read')}</legend>
          {all.map(sheet => (
            <label key={sheet}>
              <input
                type="checkbox"
                checked={wanted.includes(sheet)}
                onChange={event => {
                  const changed = withSheet(decision, all, sheet, event.target.checked);
                  if (changed) {
                    onDecide(changed);
                  }
                }}
              />{' '}
              {sheet}
            </label>
          ))}
        </fieldset>
      ) : null}
      {understood.skipped.map(one => (
        <p key={one.file} role="alert">
          {one.message}
        </p>
      ))}
      {understood.files.map(file => (
        <FileView key={file.table} {...props} file={file} />
      ))}
    </div>
  );
}

function FileView(props: IPreviewProps & { file: UnderstoodFile }): JSX.Element {
  const { datapilot, file, decision, busy, onDecide } = props;
  const { trans, language } = datapilot;
  const separators: Record<string, string> = {
    ';': trans.__('semicolon'),
    ',': trans.__('comma'),
    '\t': trans.__('tab'),
    '|': trans.__('bar')
  };
  const doubtful = file.columns.filter(isDoubtful);
  const said = [
    trans._n('%2 row', '%2 rows', file.rows, file.rows.toLocaleString(language)),
    trans._n('%1 column', '%1 columns', file.columns.length),
    file.delimiter ? trans.__('separator: %1', separators[file.delimiter] ?? file.delimiter) : '',
    file.encoding ?? '',
    file.sheet ? trans.__('sheet: %1', file.sheet) : ''
  ].filter(Boolean);
  return (
    <section className="dp-FileView" aria-label={file.table}>
      <p className="dp-Understood">{said.join(' · ')}</p>
      {file.notes.map(note => (
        <p key={note} className="dp-Note">
          {note}
        </p>
      ))}
      {doubtful.length ? (
        <div className="dp-Message dp-mod-clarification">
          <b>{trans._n('%1 column to confirm', '%1 columns to confirm', doubtful.length)}</b>
          <ul className="dp-Doubts">
            {doubtful.map(column => (
              <li key={column.name}>
                <Doubt {...props} column={column} />
              </li>
            ))}
          </ul>
        </div>
      ) : null}
      <div className="dp-Sample" tabIndex={0} role="region" aria-label={trans.__('First rows of %1', file.table)}>
        <table>
          <thead>
            <tr>
              {file.columns.map(column => (
                <th key={column.name} scope="col" className={isDoubtful(column) ? 'dp-mod-doubtful' : ''}>
                  <span title={column.name}>{column.header || column.name}</span>
                  <Types {...props} column={column} />
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {file.first_rows.slice(0, ROWS).map((row, at) => (
              <tr key={at}>
                {row.map((value, column) => (
                  <td key={column} className={typeof value === 'number' ? 'dp-mod-figure' : ''}>
                    {written(value, file.columns[column], language)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {file.kind === 'csv' ? (
        <details className="dp-Reading">
          <summary>{trans.__('How the file is read')}</summary>
          <label>
            {trans.__('Separator')}
            <select disabled={busy} value={file.delimiter ?? ';'} onChange={event => onDecide({ ...decision, delimiter: event.target.value })}>
              {Object.entries(separators).map(([sign, name]) => (
                <option key={sign} value={sign}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <label>
            {trans.__('Line of the headers')}
            <input
              type="number"
              min={0}
              disabled={busy}
              defaultValue={file.header_line ?? 1}
              onBlur={event => {
                const line = Number(event.target.value);
                if (Number.isInteger(line) && line >= 0 && line !== file.header_line) {
                  onDecide({ ...decision, header_line: line });
                }
              }}
            />
          </label>
          <label>
            <input
              type="checkbox"
              disabled={busy}
              checked={decision.keep_totals ?? false}
              onChange={event => onDecide({ ...decision, keep_totals: event.target.checked })}
            />{' '}
            {trans.__('Total rows are data too')}
          </label>
        </details>
      ) : null}
    </section>
  );
}

/** A value of the wire as people write it: dates and figures in their language. */
export function written(value: unknown, column: UnderstoodColumn | undefined, language: string): string {
  if (value === null || value === undefined) {
    return '—';
  }
  const numeric = ['integer', 'decimal', 'float'].includes(column?.type ?? '');
  if (numeric && value !== '' && Number.isFinite(Number(value))) {
    const text = String(value);
    const decimals = Math.min(6, (text.split('.')[1] ?? '').length);
    return Number(value).toLocaleString(language, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  }
  if (column?.type === 'date' && /^\d{4}-\d\d-\d\d$/.test(String(value))) {
    const [year, month, day] = String(value).split('-');
    return language === 'fr' ? `${day}/${month}/${year}` : String(value);
  }
  return String(value);
}

/** A doubtful column: why, and what it is to be. */
function Doubt(props: IPreviewProps & { column: UnderstoodColumn }): JSX.Element {
  const { datapilot, column, decision, busy, onDecide } = props;
  const { trans } = datapilot;
  const yes = asRead(column);
  const wrong = column.bad_cells.slice(0, 3).map(cell => trans.__('line %1: “%2”', cell.line, cell.value));
  return (
    <div className="dp-Doubt">
      <b>{column.header || column.name}</b>
      {column.doubts.map(doubt => (
        <p key={doubt}>{doubt}</p>
      ))}
      {column.bad_cell_count ? (
        <p className="dp-Note">
          {trans._n('%1 cell does not fit and stays empty (%2)', '%1 cells do not fit and stay empty (%2)', column.bad_cell_count, wrong.join(', '))}
        </p>
      ) : null}
      <span className="dp-Doubt-tools">
        <Types {...props} />
        {yes ? (
          <button type="button" className="dp-Go" disabled={busy} onClick={() => onDecide(withColumn(decision, column, yes))}>
            {trans.__('Yes, that is it')}
          </button>
        ) : null}
      </span>
    </div>
  );
}

/** The type of a column, and how its values are written. */
function Types(props: IPreviewProps & { column: UnderstoodColumn }): JSX.Element {
  const { datapilot, column, decision, busy, onDecide } = props;
  const { trans } = datapilot;
  const names: Record<string, string> = {
    text: trans.__('text'),
    integer: trans.__('whole number'),
    decimal: trans.__('decimal number'),
    float: trans.__('approximate number'),
    boolean: trans.__('yes or no'),
    date: trans.__('date'),
    timestamp: trans.__('date and time'),
    timestamptz: trans.__('date and time'),
    time: trans.__('time of day'),
    other: trans.__('other')
  };
  const formats: Record<ColumnFormat, string> = {
    dmy: trans.__('day/month/year'),
    mdy: trans.__('month/day/year'),
    ymd: trans.__('year-month-day'),
    comma: trans.__('decimal comma'),
    point: trans.__('decimal point')
  };
  const called = column.header || column.name;
  const types: readonly string[] = TYPES.some(one => one === column.type) ? TYPES : [...TYPES, column.type];
  const choices = formatsOf(column.type);
  return (
    <>
      <select
        className="dp-Type"
        aria-label={trans.__('Type of %1', called)}
        disabled={busy}
        value={column.type}
        onChange={event => onDecide(withColumn(decision, column, { type: event.target.value as ColumnType }))}
      >
        {types.map(type => (
          <option key={type} value={type} disabled={!TYPES.some(one => one === type)}>
            {names[type]}
          </option>
        ))}
      </select>
      {choices.length && column.format && choices.some(one => one === column.format) ? (
        <select
          className="dp-Type"
          aria-label={trans.__('Format of %1', called)}
          disabled={busy}
          value={column.format}
          onChange={event =>
            onDecide(withColumn(decision, column, { type: column.type as ColumnType, format: event.target.value as ColumnFormat }))
          }
        >
          {choices.map(one => (
            <option key={one} value={one}>
              {formats[one]}
            </option>
          ))}
        </select>
      ) : null}
    </>
  );
}
