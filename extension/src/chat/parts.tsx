import * as React from 'react';
import { LabIcon } from '@jupyterlab/ui-components';

/** A button with an icon; its label is read aloud and shown as a tooltip. */
export function IconButton(props: {
  icon: LabIcon;
  label: string;
  onClick: (event: React.MouseEvent) => void;
  pressed?: boolean;
  expanded?: boolean;
  disabled?: boolean;
  className?: string;
  text?: string;
}): JSX.Element {
  return (
    <button
      type="button"
      className={`dp-Button ${props.className ?? ''}`}
      title={props.label}
      aria-label={props.text ? undefined : props.label}
      aria-pressed={props.pressed}
      aria-expanded={props.expanded}
      disabled={props.disabled}
      onClick={props.onClick}
    >
      <props.icon.react tag="span" className="dp-Icon" />
      {props.text ? <span>{props.text}</span> : null}
    </button>
  );
}

/** A menu that opens below its button; arrows move in it, Escape closes it and gives the focus back. */
export function Menu(props: {
  icon: LabIcon;
  label: string;
  text?: string;
  pressed?: boolean;
  className?: string;
  onOpen?: () => void;
  items: { label: string; hint?: string; run: () => void; disabled?: boolean }[];
}): JSX.Element {
  const [open, setOpen] = React.useState(false);
  const [up, setUp] = React.useState(false);
  const host = React.useRef<HTMLDivElement>(null);
  const items = (): HTMLButtonElement[] => Array.from(host.current?.querySelectorAll<HTMLButtonElement>('[role=menuitem]') ?? []);
  const close = (): void => {
    setOpen(false);
    host.current?.querySelector<HTMLButtonElement>('.dp-Button')?.focus();
  };
  React.useEffect(() => {
    if (!open) {
      return;
    }
    items()[0]?.focus();
    const outside = (event: MouseEvent): void => {
      if (!host.current?.contains(event.target as Node)) {
        setOpen(false);
      }
    };
    document.addEventListener('mousedown', outside);
    return () => document.removeEventListener('mousedown', outside);
  }, [open]);
  const onKey = (event: React.KeyboardEvent): void => {
    if (!open) {
      return;
    }
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLButtonElement);
    if (event.key === 'Escape') {
      event.stopPropagation();
      close();
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      all[(at + (event.key === 'ArrowDown' ? 1 : -1) + all.length) % all.length]?.focus();
    } else if (event.key === 'Tab') {
      setOpen(false);
    }
  };
  return (
    <div className={`dp-Menu-host ${props.className ?? ''}`} ref={host} onKeyDown={onKey}>
      <button
        type="button"
        className="dp-Button"
        title={props.label}
        aria-label={props.text ? undefined : props.label}
        aria-haspopup="menu"
        aria-expanded={open}
        data-pressed={props.pressed}
        onClick={() => {
          props.onOpen?.();
          setUp(!hasRoomBelow(host.current));
          setOpen(!open);
        }}
      >
        <props.icon.react tag="span" className="dp-Icon" />
        {props.text ? <span>{props.text}</span> : null}
      </button>
      {open ? (
        <div className={up ? 'dp-Menu dp-mod-up' : 'dp-Menu'} role="menu" aria-label={props.label}>
          {props.items.map(item => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              disabled={item.disabled}
              onClick={() => {
                close();
                item.run();
              }}
            >
              {item.label}
              {item.hint ? <small>{item.hint}</small> : null}
            </button>
          ))}
        </div>
      ) : null}
    </div>
  );
}

const MENU_PX = 210;

/** Whether a menu fits between an element and the end of what scrolls around it. */
function hasRoomBelow(node: HTMLElement | null): boolean {
  const around = node?.closest('.dp-Messages')?.getBoundingClientRect().bottom ?? window.innerHeight;
  return !node || node.getBoundingClientRect().bottom + MENU_PX < around;
}
