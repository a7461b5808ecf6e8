import * as React from 'react';
import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';

import { ConversationOut, ConversationPage } from '../protocol';
import { historyIcon, pencilIcon, plusIcon, trashIcon } from '../icons';
import { SourceOptions } from '../source-options';
import { useChat, useSignal } from './context';
import { IconButton } from './parts';

/** Which source is asked, a new conversation, and the ones before. */
export function Header(props: { onSource: (sourceId: string) => void; onNew: () => void }): JSX.Element {
  const { datapilot } = useChat();
  const { trans, sources } = datapilot;
  const [open, setOpen] = React.useState(false);
  const list = sources.list ?? [];
  return (
    <div className="dp-Header">
      <select
        className="dp-Source"
        aria-label={trans.__('Source that is asked')}
        value={sources.current?.id ?? ''}
        disabled={list.length === 0}
        onChange={event => props.onSource(event.target.value)}
      >
        {list.length === 0 ? <option value="">{trans.__('No source')}</option> : null}
        <SourceOptions datapilot={datapilot} />
      </select>
      <IconButton icon={plusIcon} label={trans.__('New conversation')} onClick={props.onNew} />
      <IconButton
        icon={historyIcon}
        label={trans.__('My conversations')}
        expanded={open}
        onClick={() => setOpen(!open)}
      />
      {open ? <Conversations onClose={() => setOpen(false)} onSource={props.onSource} /> : null}
    </div>
  );
}

function Conversations(props: { onClose: () => void; onSource: (sourceId: string) => void }): JSX.Element {
  const { datapilot, conversation } = useChat();
  const { trans, client, language } = datapilot;
  const [items, setItems] = React.useState<ConversationOut[] | null>(null);
  const [next, setNext] = React.useState<string | null>(null);
  const [problem, setProblem] = React.useState<string | null>(null);
  const host = React.useRef<HTMLDivElement>(null);
  useSignal(conversation.settled);

  const load = async (cursor: string | null): Promise<void> => {
    try {
      const page = await client.json<ConversationPage>('api/conversations', { query: { limit: 30, cursor } });
      setItems(known => (cursor ? [...(known ?? []), ...page.items] : page.items));
      setNext(page.next);
      setProblem(null);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  React.useEffect(() => void load(null), [conversation.id]);
  React.useEffect(() => {
    host.current?.focus();
    const outside = (event: MouseEvent): void => {
      if (!host.current?.parentElement?.contains(event.target as Node)) {
        props.onClose();
      }
    };
    document.addEventListener('mousedown', outside);
    return () => document.removeEventListener('mousedown', outside);
  }, []);

  const open = async (one: ConversationOut): Promise<void> => {
    try {
      await conversation.open(one.id);
      if (datapilot.sources.current?.id !== one.source_id) {
        await datapilot.sources.choose(one.source_id);
      }
      props.onClose();
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  const changed = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      await load(null);
    } catch (error) {
      setProblem((error as Error).message);
    }
  };
  const rename = async (one: ConversationOut): Promise<void> => {
    const asked = await InputDialog.getText({ title: trans.__('Rename the conversation'), text: one.title });
    if (asked.button.accept && asked.value?.trim()) {
      const title = asked.value.trim().slice(0, 120);
      await changed(() => client.json(`api/conversations/${one.id}`, { method: 'PATCH', body: { title } }));
    }
  };
  const remove = async (one: ConversationOut): Promise<void> => {
    const sure = await showDialog({
      title: trans.__('Delete this conversation?'),
      body: trans.__('“%1” is deleted. Its questions stay in your history.', one.title),
      buttons: [Dialog.cancelButton({ label: trans.__('Cancel') }), Dialog.warnButton({ label: trans.__('Delete') })]
    });
    if (sure.button.accept) {
      await changed(async () => {
        await client.json(`api/conversations/${one.id}`, { method: 'DELETE' });
        if (conversation.id === one.id) {
          conversation.clear(one.source_id);
        }
      });
    }
  };
  const sources = new Map((datapilot.sources.list ?? []).map(source => [source.id, source.name]));
  return (
    <div
      ref={host}
      tabIndex={-1}
      className="dp-Drawer"
      role="dialog"
      aria-label={trans.__('My conversations')}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          props.onClose();
        }
      }}
    >
      {items === null && !problem ? <p className="dp-Note">…</p> : null}
      {items?.length === 0 ? <p className="dp-Note">{trans.__('No conversation yet: ask a first question.')}</p> : null}
      {problem ? <p role="alert">{problem}</p> : null}
      <ul>
        {(items ?? []).map(one => (
          <li key={one.id} className={one.id === conversation.id ? 'dp-mod-current' : ''}>
            <button type="button" className="dp-Conversation" aria-current={one.id === conversation.id} onClick={() => void open(one)}>
              <span>{one.title}</span>
              <small>
                {sources.get(one.source_id) ?? '—'} · {new Date(one.updated_at).toLocaleString(language, { dateStyle: 'short', timeStyle: 'short' })}
              </small>
            </button>
            <IconButton icon={pencilIcon} className="dp-mod-quiet" label={trans.__('Rename “%1”', one.title)} onClick={() => void rename(one)} />
            <IconButton icon={trashIcon} className="dp-mod-quiet" label={trans.__('Delete “%1”', one.title)} onClick={() => void remove(one)} />
          </li>
        ))}
      </ul>
      {next ? (
        <button type="button" className="dp-Plain" onClick={() => void load(next)}>
          {trans.__('More')}
        </button>
      ) : null}
    </div>
  );
}
