import * as React from 'react';
import { IInputModel } from '@jupyter/chat';

import { sendIcon, stopIcon } from '../icons';
import { useChat, useSignal } from './context';
import { IconButton } from './parts';

/**
 * Where questions are typed: Enter sends, Shift+Enter makes a line, the up arrow in an empty input brings the last question
 * back. Its text lives in `@jupyter/chat`'s input model. That package's own input was left aside: its words cannot be
 * translated, and a screen reader finds no label on it.
 */
export function Composer(props: { input: IInputModel; canAsk: boolean; hint: string }): JSX.Element {
  const { datapilot, conversation } = useChat();
  const { trans } = datapilot;
  const { input } = props;
  const area = React.useRef<HTMLTextAreaElement>(null);
  const [value, setValue] = React.useState(input.value);
  useSignal(conversation.changed);
  React.useEffect(() => {
    const changed = (_: unknown, text: string): void => setValue(text);
    const focus = (): void => {
      area.current?.focus();
      area.current?.setSelectionRange(area.current.value.length, area.current.value.length);
    };
    input.valueChanged.connect(changed);
    input.focusInputSignal?.connect(focus);
    return () => {
      input.valueChanged.disconnect(changed);
      input.focusInputSignal?.disconnect(focus);
    };
  }, [input]);
  React.useLayoutEffect(() => {
    const node = area.current;
    if (node) {
      node.style.height = 'auto';
      node.style.height = `${Math.min(node.scrollHeight, 140)}px`;
    }
  }, [value]);
  const running = conversation.running !== null;
  const can = props.canAsk && !running && value.trim() !== '';
  const send = (): void => {
    if (can) {
      input.send(value.trim());
    }
  };
  const onKey = (event: React.KeyboardEvent): void => {
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    } else if (event.key === 'Escape' && running) {
      event.preventDefault();
      conversation.stop();
    } else if (event.key === 'ArrowUp' && value === '') {
      const last = [...conversation.turns].reverse().find(turn => turn.question);
      if (last) {
        event.preventDefault();
        input.value = last.question;
      }
    }
  };
  return (
    <form
      className="dp-Composer"
      onSubmit={event => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={area}
        rows={1}
        className="dp-Composer-text"
        value={value}
        placeholder={props.hint}
        aria-label={trans.__('Your question')}
        onChange={event => {
          input.value = event.target.value;
        }}
        onKeyDown={onKey}
      />
      {running ? (
        <IconButton icon={stopIcon} className="dp-Send" label={trans.__('Stop the question (Escape)')} onClick={() => conversation.stop()} />
      ) : (
        <IconButton icon={sendIcon} className="dp-Send dp-mod-go" label={trans.__('Send the question (Enter)')} disabled={!can} onClick={send} />
      )}
    </form>
  );
}
