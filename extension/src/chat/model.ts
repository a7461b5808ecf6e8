import { AbstractChatContext, AbstractChatModel, IChatContext as IJupyterChatContext, IMessageContent, IUser } from '@jupyter/chat';

import { Conversation } from '../model/conversation';
import { Turn } from '../model/turn';
import { MIME } from './renderer';

/** Who asks, and who answers, in the list of messages. */
const PERSON: IUser = { username: 'me' };
const DATAPILOT: IUser = { username: 'datapilot', display_name: 'DataPilot', initials: 'D', color: '#1f5fbf', bot: true };

class Context extends AbstractChatContext {
  get users(): IUser[] {
    return [];
  }
}

/**
 * The conversation as `@jupyter/chat`'s list of messages sees it: two messages for each turn.
 *
 * A message's body never changes (it names its turn): the turn's own view follows the turn, so that an answer that streams in
 * or is edited keeps the focus and the scroll where they are.
 */
export class ChatModel extends AbstractChatModel {
  constructor(
    private readonly _conversation: Conversation,
    private readonly _onSend: (question: string) => void
  ) {
    super({ config: { stackMessages: false, unreadNotifications: false, sendTypingNotification: false } });
    this.name = 'datapilot';
    this._conversation.changed.connect(this._sync, this);
    this._sync();
    this.setReady();
  }

  readonly user = PERSON;

  sendMessage(message: { body: string }): boolean {
    this._onSend(message.body);
    return true;
  }

  createChatContext(): IJupyterChatContext {
    return new Context({ model: this });
  }

  override dispose(): void {
    this._conversation.changed.disconnect(this._sync, this);
    super.dispose();
  }

  private _sync(): void {
    const turns = this._conversation.turns;
    const same = this._shown.length <= turns.length && this._shown.every((turn, at) => turn === turns[at]);
    if (same && this._shown.length === turns.length) {
      return;
    }
    const from = same ? this._shown.length : 0;
    if (!same) {
      this.clearMessages();
    }
    this._shown = [...turns];
    this.messagesInserted(
      this.messages.length,
      turns.slice(from).flatMap(turn => [message(turn, 'question'), message(turn, 'answer')])
    );
  }

  private _shown: Turn[] = [];
}

function message(turn: Turn, side: 'question' | 'answer'): IMessageContent {
  return {
    type: 'msg',
    id: `${turn.key}-${side}`,
    body: { data: { [MIME]: { key: turn.key, side } } },
    time: turn.askedAt / 1000,
    sender: side === 'question' ? PERSON : DATAPILOT
  };
}
