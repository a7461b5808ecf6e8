import * as React from 'react';
import { ReactWidget } from '@jupyterlab/apputils';
import { URLExt } from '@jupyterlab/coreutils';
import { LabIcon } from '@jupyterlab/ui-components';

import { IDataPilot } from './tokens';

export { sentenceOfError } from './api/sentence';

/** A section of the sidebar that is one React component; what it is made with stays the same. */
export class SectionWidget extends ReactWidget {
  constructor(
    private readonly _body: () => JSX.Element,
    className: string
  ) {
    super();
    this.addClass('dp-Pane');
    this.addClass(className);
  }

  protected render(): JSX.Element {
    return this._body();
  }
}

/** A short form of a failure, read aloud. */
export function Problem({ text }: { text: string | null }): JSX.Element | null {
  return text ? (
    <div className="dp-Message dp-mod-failure" role="alert">
      <p>{text}</p>
    </div>
  ) : null;
}

/** How far something is; `share` null: it runs, and does not say. */
export function Progress({ label, share }: { label: string; share: number | null }): JSX.Element {
  return (
    <div className="dp-Progress">
      <progress aria-label={label} {...(share === null ? {} : { value: share, max: 1 })} />
      <span role="status">{label}</span>
    </div>
  );
}

/** A link to the platform's own pages, or to one of them; nothing where they are not known. */
export function PagesLink(props: { datapilot: IDataPilot; icon: LabIcon; text: string; label: string; path?: string }): JSX.Element | null {
  const { pagesUrl } = props.datapilot;
  return pagesUrl ? (
    <a className="dp-Link dp-PagesLink" href={props.path ? URLExt.join(pagesUrl, props.path) : pagesUrl} target="_blank" rel="noreferrer" title={props.label}>
      <props.icon.react tag="span" className="dp-Icon" />
      {props.text}
    </a>
  ) : null;
}
