import { Token } from '@lumino/coreutils';
import { IDisposable } from '@lumino/disposable';
import { ISignal } from '@lumino/signaling';
import { TranslationBundle } from '@jupyterlab/translation';
import { LabIcon } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';

import { Client } from './api/client';
import { About, MeOut, SourceOut, Status } from './protocol';

/** The language of what the platform says to this panel. */
export type Language = 'fr' | 'en';

/** How the panel stands with the platform. */
export type Connection =
  | { state: 'starting' }
  | { state: 'connected' }
  | { state: 'lost'; message: string }
  | { state: 'expired'; message: string }
  | { state: 'missing'; code: NonNullable<Status['code']>; message: string };

/** The sources one may ask, and which of them is asked now. */
export interface ISources {
  /** As the API lists them; null: not known yet. */
  readonly list: readonly SourceOut[] | null;
  /** The chosen one; null: there is none. */
  readonly current: SourceOut | null;
  /** What the current one is asked over (layer, first questions); null: not known yet. */
  readonly about: About | null;
  /** The names of the workspaces that sources of the list belong to, by id. */
  readonly workspaces: ReadonlyMap<string, string>;
  /** The list, the choice or the description changed. */
  readonly changed: ISignal<ISources, void>;
  /** Choose a source by its id; one that is not in the list is looked for again. */
  choose(sourceId: string): Promise<void>;
  /** Ask for the list again: a source was added. */
  refresh(): Promise<void>;
}

/** What every panel shares: who asks, of what, how it stands with the platform. */
export interface IDataPilot {
  /** Requests to the server half. */
  readonly client: Client;
  readonly trans: TranslationBundle;
  readonly language: Language;
  readonly sources: ISources;
  readonly connection: Connection;
  /** Who is signed in; null: not known. */
  readonly me: MeOut | null;
  /** Where the API's own pages are (connections, people, dashboards); null: not known here. */
  readonly pagesUrl: string | null;
  readonly connectionChanged: ISignal<IDataPilot, Connection>;
  /** Ask how it stands, at once. */
  reconnect(): Promise<void>;
  /** Tell it an error of a request: it may say that the connection is lost or the sign-in has run out. */
  noticed(error: unknown): void;
}

/** The token of what every panel shares. */
export const IDataPilot = new Token<IDataPilot>(
  'datapilot-lab:IDataPilot',
  'The platform as the panels of DataPilot see it: requests, sources, connection.'
);

/** One section of the sidebar: the chat, the data, the history, publishing. */
export interface IPanel {
  /** Stable; what `CommandIDs.open` names. */
  readonly id: string;
  /** Translated. */
  readonly label: string;
  readonly icon: LabIcon;
  /** Small ones stand first. */
  readonly rank: number;
  /** Makes its widget, once, when it is first shown. The sidebar disposes it. */
  create(): Widget | Promise<Widget>;
}

/** Where sections of the sidebar are added: an extension point. */
export interface IPanels {
  readonly panels: readonly IPanel[];
  readonly changed: ISignal<IPanels, void>;
  /** Add one; dispose of what is returned to take it away. */
  add(panel: IPanel): IDisposable;
}

/** The token of the sidebar's sections. */
export const IPanels = new Token<IPanels>(
  'datapilot-lab:IPanels',
  'The sections of the DataPilot sidebar; add one to have it shown.'
);

/** What can be done with the chat from elsewhere (commands do it). */
export interface IChat {
  /** Ask of the chosen source; false: something runs, or there is no source, and the question stands in the input. */
  ask(question: string): boolean;
  /** Put a text into the input. */
  write(text: string): void;
  /** Begin a new conversation. */
  begin(): void;
  /** Stop what runs. */
  stop(): void;
  /** Open one of the API's conversations again, with its source. Throws what the request throws. */
  reopen(conversationId: string): Promise<void>;
}
