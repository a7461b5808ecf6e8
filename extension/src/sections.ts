import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';

import { CommandIDs } from './commands';
import { dataIcon, historyIcon, publishIcon } from './icons';
import { IDataPilot, IPanels } from './tokens';

/** Data, publishing, history: each section's code is loaded when it is first shown. */
export const sections: JupyterFrontEndPlugin<void> = {
  id: 'datapilot-lab:sections',
  description: 'Sources and files, publishing, and the history of one’s questions.',
  autoStart: true,
  requires: [IDataPilot, IPanels, INotebookTracker],
  optional: [ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    datapilot: IDataPilot,
    panels: IPanels,
    notebooks: INotebookTracker,
    palette: ICommandPalette | null
  ): void => {
    const { trans } = datapilot;
    panels.add({
      id: 'data',
      label: trans.__('Data'),
      icon: dataIcon,
      rank: 20,
      create: async () => (await import('./data')).createData({ app, datapilot })
    });
    panels.add({
      id: 'publish',
      label: trans.__('Publish'),
      icon: publishIcon,
      rank: 30,
      create: async () => (await import('./publish')).createPublish({ app, datapilot, notebooks })
    });
    panels.add({
      id: 'history',
      label: trans.__('History'),
      icon: historyIcon,
      rank: 40,
      create: async () => (await import('./history')).createHistory({ app, datapilot })
    });
    const shows: [string, string, string][] = [
      [CommandIDs.data, trans.__('Show my data'), 'data'],
      [CommandIDs.publish, trans.__('Publish answers'), 'publish'],
      [CommandIDs.history, trans.__('Search my questions'), 'history']
    ];
    for (const [command, label, panel] of shows) {
      app.commands.addCommand(command, { label, execute: () => app.commands.execute(CommandIDs.open, { panel }) });
      palette?.addItem({ command, category: 'DataPilot' });
    }
  }
};
