/** Every command of this extension. */
export namespace CommandIDs {
  /** Show the panel; `{ panel?: string }` chooses one of its sections. */
  export const open = 'datapilot:open';
  /** Put a question into the chat's input; `{ question: string, send?: boolean }`. */
  export const ask = 'datapilot:ask';
  /** Begin a new conversation. */
  export const newConversation = 'datapilot:new-conversation';
  /** Stop the question that runs. */
  export const stop = 'datapilot:stop';
  /** Open one of the conversations again in the chat; `{ conversation: string }`. */
  export const reopen = 'datapilot:reopen';
  /** Show sources and files; publishing; the history. */
  export const data = 'datapilot:data';
  export const publish = 'datapilot:publish';
  export const history = 'datapilot:history';
}
