import * as React from 'react';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { IKnown, knownOf } from '../notebook/known';
import { useChat } from './context';

/** The questions of the open notebook with their last answers: asked again here, or gone to. */
export function Known({ notebooks, onAsk }: { notebooks: INotebookTracker; onAsk: (question: string) => void }): JSX.Element | null {
  const { trans } = useChat().datapilot;
  const [panel, setPanel] = React.useState<NotebookPanel | null>(notebooks.currentWidget);
  const [known, setKnown] = React.useState<IKnown[]>([]);
  React.useEffect(() => {
    const changed = (): void => setPanel(notebooks.currentWidget);
    notebooks.currentChanged.connect(changed);
    return () => {
      notebooks.currentChanged.disconnect(changed);
    };
  }, [notebooks]);
  React.useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => setKnown(knownOf(panel)), 300);
    };
    read();
    panel?.content.modelContentChanged.connect(read);
    void panel?.context.ready.then(read);
    return () => {
      clearTimeout(timer);
      panel?.content.modelContentChanged.disconnect(read);
    };
  }, [panel]);
  if (!known.length || !panel) {
    return null;
  }
  const goTo = (index: number): void => {
    panel.content.activeCellIndex = index;
    void panel.content.scrollToItem(index);
  };
  return (
    <section className="dp-Known" aria-label={trans.__('In the open notebook')}>
      <h3>{trans.__('In the open notebook')}</h3>
      <ul>
        {known.map(one => (
          <li key={one.index}>
            <button type="button" title={trans.__('Ask it here')} onClick={() => onAsk(one.question)}>
              {one.question}
            </button>
            {one.answer ? (
              <button type="button" className="dp-Plain" title={trans.__('Go to the cell')} onClick={() => goTo(one.index)}>
                {one.answer}
              </button>
            ) : null}
          </li>
        ))}
      </ul>
    </section>
  );
}
