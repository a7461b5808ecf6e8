import * as React from 'react';
import { createRoot, Root } from 'react-dom/client';
import { IRenderMime, IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';

import { ChatContext, IChatContext } from './context';
import { QuestionView, TurnView } from './turn';

/** What a message of the chat holds: which turn it shows, and which side of it. */
export const MIME = 'application/vnd.datapilot.turn+json';

interface IBody {
  key: string;
  side: 'question' | 'answer';
}

/** Renders turns for the chat's list of messages; in a registry of the chat's own, notebooks do not know the type. */
class TurnRenderer extends Widget implements IRenderMime.IRenderer {
  constructor(
    private readonly _context: () => IChatContext,
    private readonly _roots: Map<string, Root>
  ) {
    super();
    this.addClass('dp-TurnHost');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const body = model.data[MIME] as unknown as IBody;
    const context = this._context();
    const turn = context.conversation.turns.find(one => one.key === body.key);
    if (!turn) {
      return;
    }
    const root = createRoot(this.node);
    const name = `${body.key}-${body.side}`;
    const old = this._roots.get(name);
    this._roots.set(name, root);
    if (old) {
      // Not while React renders: the list of messages is in the middle of it.
      setTimeout(() => old.unmount());
    }
    root.render(
      <ChatContext.Provider value={context}>
        {body.side === 'question' ? <QuestionView turn={turn} /> : <TurnView turn={turn} />}
      </ChatContext.Provider>
    );
  }
}

/** Make a registry that renders turns too; returns it with what lets go of the turns that are gone. */
export function withTurns(
  rendermime: IRenderMimeRegistry,
  context: () => IChatContext
): { registry: IRenderMimeRegistry; forget: (isThere: (key: string) => boolean) => void } {
  const roots = new Map<string, Root>();
  const registry = rendermime.clone();
  registry.addFactory(
    { safe: true, mimeTypes: [MIME], createRenderer: () => new TurnRenderer(context, roots) },
    0
  );
  const forget = (isThere: (key: string) => boolean): void => {
    for (const [name, root] of roots) {
      if (!isThere(name.slice(0, name.lastIndexOf('-')))) {
        roots.delete(name);
        setTimeout(() => root.unmount());
      }
    }
  };
  return { registry, forget };
}
