import * as React from 'react';
import { JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette, IThemeManager, ReactWidget } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';
import { IDataPilot } from '../tokens';

/** What the chat is made with. */
export interface IChatOptions {
  app: JupyterFrontEnd;
  datapilot: IDataPilot;
  rendermime: IRenderMimeRegistry;
  notebooks: INotebookTracker;
  themes: IThemeManager | null;
  palette: ICommandPalette | null;
}

/** Make the chat's widget. */
export function createChat(options: IChatOptions): Widget {
  void options.datapilot.reconnect();
  return ReactWidget.create(<p>{options.datapilot.trans.__('Chat')}</p>);
}
