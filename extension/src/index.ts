import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, IThemeManager } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { PromiseDelegate } from '@lumino/coreutils';

import { Client } from './api/client';
import { CommandIDs } from './commands';
import { chatIcon, datapilotIcon } from './icons';
import { Kept } from './kept';
import { sections } from './sections';
import { Session } from './session';
import { Panels, Sidebar, whenIdle } from './sidebar';
import { IChat, IDataPilot, IPanels, Language } from './tokens';

const DOMAIN = 'datapilot';

/** What every panel shares: one connection to the server half. Nothing is asked before the sidebar is first shown. */
const session: JupyterFrontEndPlugin<IDataPilot> = {
  id: 'datapilot-lab:session',
  description: 'The platform as the panels see it.',
  autoStart: true,
  provides: IDataPilot,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null): IDataPilot => {
    const used = translator ?? nullTranslator;
    const trans = used.load(DOMAIN);
    const language: Language = used.languageCode.toLowerCase().startsWith('fr') ? 'fr' : 'en';
    const settings = app.serviceManager.serverSettings;
    const client = new Client(settings, language, {
      offline: trans.__('DataPilot does not answer at the moment.'),
      expired: trans.__('Your session has expired. Sign in again; what you typed is kept.'),
      timedOut: trans.__('DataPilot took too long to answer.')
    });
    return new Session(client, trans, language, new Kept(settings.baseUrl));
  }
};

/** The sidebar, and where its sections are added. */
const sidebar: JupyterFrontEndPlugin<IPanels> = {
  id: 'datapilot-lab:sidebar',
  description: 'The sidebar of DataPilot.',
  autoStart: true,
  provides: IPanels,
  requires: [IDataPilot],
  optional: [ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    datapilot: IDataPilot,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ): IPanels => {
    const { trans } = datapilot;
    const panels = new Panels();
    const widget = new Sidebar(panels, trans);
    app.shell.add(widget, 'right', { rank: 100 });
    restorer?.add(widget, widget.id);
    app.commands.addCommand(CommandIDs.open, {
      label: trans.__('Open DataPilot'),
      icon: datapilotIcon,
      execute: async args => {
        app.shell.activateById(widget.id);
        await widget.show_(typeof args['panel'] === 'string' ? args['panel'] : undefined);
      }
    });
    palette?.addItem({ command: CommandIDs.open, category: 'DataPilot' });
    void app.restored.then(() => {
      // The first time, before anybody has arranged anything: the panel is what the person came for.
      const kept = new Kept(app.serviceManager.serverSettings.baseUrl, window.localStorage);
      if (kept.get('welcomed') === null) {
        kept.set('welcomed', 'yes');
        whenIdle(() => app.shell.activateById(widget.id));
      }
    });
    return panels;
  }
};

/** The chat. Its code is loaded when its section is first shown. */
const chat: JupyterFrontEndPlugin<void> = {
  id: 'datapilot-lab:chat',
  description: 'The chat with one’s data.',
  autoStart: true,
  requires: [IDataPilot, IPanels, IRenderMimeRegistry, INotebookTracker],
  optional: [IThemeManager, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    datapilot: IDataPilot,
    panels: IPanels,
    rendermime: IRenderMimeRegistry,
    notebooks: INotebookTracker,
    themes: IThemeManager | null,
    palette: ICommandPalette | null
  ): void => {
    const { trans } = datapilot;
    const made = new PromiseDelegate<IChat>();
    panels.add({
      id: 'chat',
      label: trans.__('Chat'),
      icon: chatIcon,
      rank: 10,
      create: async () => {
        const { createChat } = await import('./chat');
        const widget = createChat({ app, datapilot, rendermime, notebooks, themes });
        made.resolve(widget);
        return widget;
      }
    });
    const shown = async (): Promise<IChat> => {
      await app.commands.execute(CommandIDs.open, { panel: 'chat' });
      return made.promise;
    };
    app.commands.addCommand(CommandIDs.ask, {
      label: trans.__('Ask DataPilot'),
      icon: datapilotIcon,
      execute: async args => {
        const question = String(args['question'] ?? '');
        const panel = await shown();
        if (args['send'] === true) {
          panel.ask(question);
        } else {
          panel.write(question);
        }
      }
    });
    app.commands.addCommand(CommandIDs.newConversation, {
      label: trans.__('New conversation with one’s data'),
      execute: async () => (await shown()).begin()
    });
    app.commands.addCommand(CommandIDs.stop, {
      label: trans.__('Stop the question that runs'),
      execute: async () => (await shown()).stop()
    });
    app.commands.addCommand(CommandIDs.reopen, {
      label: trans.__('Open a conversation again'),
      execute: async args => (await shown()).reopen(String(args['conversation'] ?? ''))
    });
    for (const command of [CommandIDs.ask, CommandIDs.newConversation, CommandIDs.stop]) {
      palette?.addItem({ command, category: 'DataPilot' });
    }
  }
};

export { IDataPilot, IPanels } from './tokens';
export default [session, sidebar, chat, sections];
