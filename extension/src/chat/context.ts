import * as React from 'react';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';

import { Conversation } from '../model/conversation';
import { Inserter } from '../notebook/insert';
import { IDataPilot } from '../tokens';

/** What every part of the chat uses. */
export interface IChatContext {
  datapilot: IDataPilot;
  conversation: Conversation;
  rendermime: IRenderMimeRegistry;
  inserter: Inserter;
  /** Put a text into the input, and the cursor with it. */
  write(text: string): void;
}

export const ChatContext = React.createContext<IChatContext | null>(null);

/** Return what the chat's parts use. */
export function useChat(): IChatContext {
  const found = React.useContext(ChatContext);
  if (!found) {
    throw new Error('outside of the chat');
  }
  return found;
}

/** Render again when a signal fires. */
export function useSignal(signal: { connect(slot: () => void): boolean; disconnect(slot: () => void): boolean }): void {
  const [, again] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    const slot = (): void => again();
    signal.connect(slot);
    again();
    return () => {
      signal.disconnect(slot);
    };
  }, [signal]);
}
