import * as React from 'react';

import { Answer, Editor, EditOut, ReadingOut } from '../protocol';
import { plusIcon } from '../icons';
import { useChat } from './context';
import { IconButton } from './parts';

/** A part of the reading that is not there yet: one more grouping. */
const ADD: ReadingOut = { path: '/dimensions/-', kind: 'dimension', label: '', value: '', editable: true };

/** « What I understood »: the parts of the reading, each with its editor; an edit runs the plan again, without an engine. */
export function Chips(props: { answer: Answer; onPlan: (plan: Record<string, unknown>) => void; busy: boolean }): JSX.Element | null {
  const { answer, busy } = props;
  const { datapilot, conversation } = useChat();
  const { trans } = datapilot;
  const [open, setOpen] = React.useState<ReadingOut | null>(null);
  const id = React.useId();
  React.useEffect(() => setOpen(null), [answer]);
  if (!answer.reading.length) {
    return null;
  }
  const canAdd = answer.plan?.['kind'] === 'aggregate';
  const sourceId = conversation.turns.find(turn => turn.outcome?.id === answer.id)?.sourceId ?? datapilot.sources.current?.id ?? '';
  return (
    <div className="dp-Reading">
      <ul className="dp-Chips" aria-label={trans.__('What I understood')}>
        {answer.reading.map(part => (
          <li key={part.path + part.kind}>
            {part.editable && answer.plan ? (
              <button
                type="button"
                className={part.kind === 'default_filter' ? 'dp-Chip dp-mod-default' : 'dp-Chip'}
                aria-expanded={open?.path === part.path}
                aria-controls={open?.path === part.path ? id : undefined}
                disabled={busy}
                title={trans.__('Change: %1', part.label)}
                onClick={() => setOpen(open?.path === part.path ? null : part)}
              >
                <b>{part.label}</b> {part.value}
              </button>
            ) : (
              <span className="dp-Chip dp-mod-fixed">
                <b>{part.label}</b> {part.value}
              </span>
            )}
          </li>
        ))}
        {canAdd ? (
          <li>
            <IconButton
              icon={plusIcon}
              className="dp-Chip-add"
              label={trans.__('Add a grouping')}
              disabled={busy}
              expanded={open === ADD}
              onClick={() => setOpen(open === ADD ? null : ADD)}
            />
          </li>
        ) : null}
      </ul>
      {open && answer.plan ? (
        <div id={id}>
          <ChipEditor
            key={open.path}
            part={open}
            plan={answer.plan}
            sourceId={sourceId}
            onDone={plan => {
              setOpen(null);
              if (plan) {
                props.onPlan(plan);
              }
            }}
          />
        </div>
      ) : null}
    </div>
  );
}

/** What an edit is, to the server half. */
interface IEdit {
  value?: unknown;
  typed?: string;
  grain?: string;
}

function ChipEditor(props: {
  part: ReadingOut;
  plan: Record<string, unknown>;
  sourceId: string;
  onDone: (plan: Record<string, unknown> | null) => void;
}): JSX.Element {
  const { part, plan, sourceId } = props;
  const { datapilot } = useChat();
  const { trans, client } = datapilot;
  const [editor, setEditor] = React.useState<Editor | null>(null);
  const [problem, setProblem] = React.useState<string | null>(null);
  const host = React.useRef<HTMLFormElement>(null);
  const place = { source_id: sourceId, plan, path: part.path, kind: part.kind };

  React.useEffect(() => {
    const abort = new AbortController();
    client
      .json<Editor>('plan/editor', { method: 'POST', body: place, signal: abort.signal })
      .then(setEditor)
      .catch((error: Error) => setProblem(error.message));
    return () => abort.abort();
  }, [part.path]);
  React.useEffect(() => {
    host.current?.querySelector<HTMLElement>('select, input, button')?.focus();
  }, [editor]);

  const apply = async (edit: IEdit): Promise<void> => {
    try {
      const found = await client.json<EditOut>('plan/edit', { method: 'POST', body: { ...place, ...edit } });
      props.onDone(found.plan);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  return (
    <form
      ref={host}
      className="dp-Editor"
      aria-label={trans.__('Change: %1', part.label || trans.__('grouping'))}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          props.onDone(null);
        }
      }}
      onSubmit={event => event.preventDefault()}
    >
      {editor ? <Fields editor={editor} onApply={edit => void apply(edit)} /> : problem ? null : <span>…</span>}
      {editor?.removable && part !== ADD ? (
        <button type="button" className="dp-Plain" onClick={() => void apply({ value: null })}>
          {trans.__('Take away')}
        </button>
      ) : null}
      {problem ? <p role="alert">{problem}</p> : null}
    </form>
  );
}

function Fields({ editor, onApply }: { editor: Editor; onApply: (edit: IEdit) => void }): JSX.Element | null {
  const { trans } = useChat().datapilot;
  const options = editor.options ?? [];
  const known = options.findIndex(option => JSON.stringify(option.value) === JSON.stringify(editor.value));
  const [chosen, setChosen] = React.useState(known >= 0 ? known : editor.editor === 'period' ? -1 : 0);
  const [grain, setGrain] = React.useState('month');
  const [typed, setTyped] = React.useState(String(editor.value ?? ''));
  const [start, setStart] = React.useState('');
  const [end, setEnd] = React.useState('');
  const go = (edit: IEdit, disabled = false): JSX.Element => (
    <button type="submit" className="dp-Go" disabled={disabled} onClick={() => onApply(edit)}>
      {trans.__('Apply')}
    </button>
  );
  switch (editor.editor) {
    case 'none':
      return null;
    case 'order':
      return (
        <button type="button" className="dp-Go" onClick={() => onApply({ value: editor.value })}>
          {trans.__('Reverse the order')}
        </button>
      );
    case 'number':
      return (
        <>
          <input type="number" min={1} max={100000} aria-label={trans.__('Number')} value={typed} onChange={e => setTyped(e.target.value)} />
          {go({ value: Number(typed) }, !(Number(typed) >= 1))}
        </>
      );
    case 'values':
      return (
        <>
          <input type="text" aria-label={trans.__('Values, separated by ;')} value={typed} onChange={e => setTyped(e.target.value)} />
          {go({ typed }, !typed.trim())}
        </>
      );
    case 'period':
      return (
        <>
          <select aria-label={trans.__('Period')} value={chosen} onChange={e => setChosen(Number(e.target.value))}>
            <option value={-1}>{trans.__('From … to …')}</option>
            {options.map((option, at) => (
              <option key={at} value={at}>
                {option.label}
              </option>
            ))}
          </select>
          {chosen < 0 ? (
            <>
              <input type="date" aria-label={trans.__('From')} value={start} onChange={e => setStart(e.target.value)} />
              <input type="date" aria-label={trans.__('To')} value={end} onChange={e => setEnd(e.target.value)} />
              {go({ value: { kind: 'between', start, end } }, !start || !end)}
            </>
          ) : (
            go({ value: options[chosen].value })
          )}
        </>
      );
    case 'choice': {
      const option = options[chosen];
      return (
        <>
          <select aria-label={trans.__('Choice')} value={chosen} onChange={e => setChosen(Number(e.target.value))}>
            {options.map((one, at) => (
              <option key={at} value={at}>
                {one.label}
              </option>
            ))}
          </select>
          {option?.timed ? (
            <select aria-label={trans.__('Cut')} value={grain} onChange={e => setGrain(e.target.value)}>
              {(editor.grains ?? []).map(one => (
                <option key={String(one.value)} value={String(one.value)}>
                  {one.label}
                </option>
              ))}
            </select>
          ) : null}
          {go(option?.timed ? { value: option.value, grain } : { value: option?.value }, !option)}
        </>
      );
    }
  }
}
