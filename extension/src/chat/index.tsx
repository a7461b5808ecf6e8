import * as React from 'react';
import { AbstractChatModel, ChatMessages, ChatReactContext, JlThemeProvider } from '@jupyter/chat';
import '@jupyter/chat/style/base.css';
import { JupyterFrontEnd } from '@jupyterlab/application';
import { IThemeManager, ReactWidget } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';

import { Kept } from '../kept';
import { Conversation } from '../model/conversation';
import { Inserter } from '../notebook/insert';
import { Connection, IChat, IDataPilot } from '../tokens';
import { Banner } from './banner';
import { Composer } from './composer';
import { ChatContext, IChatContext, useSignal } from './context';
import { Header } from './header';
import { Known } from './known';
import { ChatModel } from './model';
import { withTurns } from './renderer';
import { Welcome } from './welcome';

/** What the chat is made with. */
export interface IChatOptions {
  app: JupyterFrontEnd;
  datapilot: IDataPilot;
  rendermime: IRenderMimeRegistry;
  notebooks: INotebookTracker;
  themes: IThemeManager | null;
}

/** The chat: the source and the conversations above, the turns, the input below. */
class ChatPanel extends ReactWidget implements IChat {
  constructor(private readonly _options: IChatOptions) {
    super();
    this.addClass('dp-Chat');
    const { app, datapilot, rendermime, notebooks } = _options;
    this._kept = new Kept(app.serviceManager.serverSettings.baseUrl);
    this._conversation = new Conversation(
      {
        client: datapilot.client,
        noticed: error => datapilot.noticed(error),
        connected: () => this._connected()
      },
      this._kept
    );
    this._model = new ChatModel(this._conversation, question => this.ask(question));
    const context: IChatContext = {
      datapilot,
      conversation: this._conversation,
      rendermime,
      inserter: new Inserter(app, notebooks),
      write: text => this.write(text)
    };
    this._context = context;
    const { registry, forget } = withTurns(rendermime, () => context);
    this._registry = registry;
    this._conversation.changed.connect(() => {
      forget(key => this._conversation.turns.some(turn => turn.key === key));
    });
    this._model.input.value = this._kept.get('draft') ?? '';
    this._model.input.valueChanged.connect((_, value) => this._kept.set('draft', value || null));
    datapilot.sources.changed.connect(this._onSources, this);
    void datapilot.reconnect();
    this._onSources();
  }

  /** Ask of the chosen source. */
  ask(question: string): boolean {
    const source = this._options.datapilot.sources.current;
    if (!source || !this._conversation.ask(source.id, { kind: 'question', question })) {
      this.write(question);
      return false;
    }
    this._model.input.value = '';
    return true;
  }

  /** Put a text into the input. */
  write(text: string): void {
    this._model.input.value = text;
    this._model.input.focus();
  }

  /** Begin a new conversation. */
  begin(): void {
    this._conversation.clear(this._options.datapilot.sources.current?.id ?? null);
    this._model.input.focus();
  }

  /** Stop what runs. */
  stop(): void {
    this._conversation.stop();
  }

  /** Open one of the API's conversations again, with its source. */
  async reopen(conversationId: string): Promise<void> {
    const found = await this._conversation.open(conversationId);
    this._source = found.source_id;
    await this._options.datapilot.sources.choose(found.source_id);
  }

  override dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._options.datapilot.sources.changed.disconnect(this._onSources, this);
    this._conversation.dispose();
    this._model.dispose();
    super.dispose();
  }

  protected override onActivateRequest(): void {
    this._model.input.focus();
  }

  protected render(): JSX.Element {
    return (
      <ChatContext.Provider value={this._context}>
        <Body
          model={this._model}
          registry={this._registry}
          options={this._options}
          onAsk={question => this.ask(question)}
          onNew={() => this.begin()}
          onSource={id => this._choose(id)}
        />
      </ChatContext.Provider>
    );
  }

  private _choose(sourceId: string): void {
    const { sources } = this._options.datapilot;
    if (sources.current?.id !== sourceId) {
      this._source = sourceId;
      this._conversation.clear();
      sources
        .choose(sourceId)
        .then(() => this._conversation.restore(sourceId))
        .catch(error => this._options.datapilot.noticed(error));
    }
  }

  /** The source is known for the first time: what was shown before the reload is shown again. */
  private _onSources(): void {
    const current = this._options.datapilot.sources.current;
    if (current && this._source === null) {
      this._source = current.id;
      void this._conversation.restore(current.id);
    } else if (current && this._source !== current.id && this._conversation.turns.every(turn => turn.sourceId !== current.id)) {
      // Chosen elsewhere (a file was just kept): its own conversation.
      this._source = current.id;
      this._conversation.clear();
      void this._conversation.restore(current.id);
    }
  }

  private _connected(): Promise<void> {
    const { datapilot } = this._options;
    if (datapilot.connection.state === 'connected') {
      return Promise.resolve();
    }
    return new Promise(resolve => {
      const changed = (_: IDataPilot, connection: Connection): void => {
        if (connection.state === 'connected') {
          datapilot.connectionChanged.disconnect(changed);
          resolve();
        }
      };
      datapilot.connectionChanged.connect(changed);
    });
  }

  private readonly _kept: Kept;
  private readonly _conversation: Conversation;
  private readonly _model: ChatModel;
  private readonly _context: IChatContext;
  private readonly _registry: IRenderMimeRegistry;
  private _source: string | null = null;
}

function Body(props: {
  model: AbstractChatModel;
  registry: IRenderMimeRegistry;
  options: IChatOptions;
  onAsk: (question: string) => void;
  onNew: () => void;
  onSource: (sourceId: string) => void;
}): JSX.Element {
  const { model, registry, options } = props;
  const { datapilot, themes, notebooks } = options;
  const { trans, sources } = datapilot;
  const { conversation } = React.useContext(ChatContext) as IChatContext;
  useSignal(sources.changed);
  useSignal(datapilot.connectionChanged);
  useSignal(conversation.changed);
  const current = sources.current;
  const hint = current ? trans.__('Ask a question…') : trans.__('Choose a source first');
  const known = <Known notebooks={notebooks} onAsk={props.onAsk} />;
  return (
    <>
      <Header onSource={props.onSource} onNew={props.onNew} />
      <Banner datapilot={datapilot} />
      {conversation.turns.length === 0 ? (
        <Welcome onAsk={props.onAsk} known={known} />
      ) : (
        <div className="dp-Messages" role="log" aria-label={trans.__('Conversation')}>
          <JlThemeProvider themeManager={themes}>
            <ChatReactContext.Provider value={{ model, rmRegistry: registry, area: 'sidebar' }}>
              <ChatMessages />
            </ChatReactContext.Provider>
          </JlThemeProvider>
        </div>
      )}
      <Composer input={model.input} canAsk={current !== null && datapilot.connection.state !== 'missing'} hint={hint} />
    </>
  );
}

/** Make the chat's widget. */
export function createChat(options: IChatOptions): Widget & IChat {
  return new ChatPanel(options);
}
