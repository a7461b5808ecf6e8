import * as React from 'react';
import { LabIcon } from '@jupyterlab/ui-components';

import { sentenceOfError } from '../api/sentence';
import { useChat, useSignal } from '../chat/context';
import { Menu } from '../chat/parts';
import { Answer, Plan, PublishableOut, RequestOut } from '../protocol';
import { usePublishables } from './pages';
import { pinsOf } from './pins';
import { ITile, requestOf } from './tiles';

export const pinIcon = new LabIcon({
  name: 'datapilot:pin',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24" fill="none" stroke="#616161" class="jp-icon-stroke" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round"><path d="M9 4h6l-1 6 4 4H6l4-4zM12 14v6"/></svg>'
});

/** What pinning came to: a request, or a sentence why not. */
export type Pinned = { request: RequestOut } | { problem: string };

const MOST_SHOWN = 12;

/**
 * Pins an answer: set aside for a new dashboard (the section « Publish » asks for it), or asked at once to be added to one that
 * is there. SQL has no plan that could be run for others.
 */
export function Pin(props: { answer: Answer; question: string; sourceId: string; onDone: (pinned: Pinned) => void }): JSX.Element | null {
  const { answer, question, sourceId } = props;
  const { datapilot } = useChat();
  const { trans, client } = datapilot;
  const pins = pinsOf(client.settings.baseUrl);
  const [open, setOpen] = React.useState(false);
  const dashboards = usePublishables(datapilot, open);
  useSignal(pins.changed);
  if (!answer.plan) {
    return null;
  }
  const pinned = pins.has(answer.id);
  const title = (question || answer.sentence).slice(0, 300);
  const add = async (one: PublishableOut): Promise<void> => {
    const plan = answer.plan as unknown as Plan;
    const tile: ITile = { key: answer.id, title, sourceId, question, trust: answer.trust, plan, cell: null };
    const body = requestOf({
      name: '',
      target: { kind: 'add', dashboardId: one.id },
      tiles: [tile],
      filters: [],
      notebook: null,
      interactive: false,
      exploratory: answer.trust === 'exploratory'
    });
    try {
      const request = await client.json<RequestOut>('api/dashboards/publication-requests', { method: 'POST', body, timeoutMs: 60_000 });
      props.onDone({ request });
    } catch (error) {
      props.onDone({ problem: sentenceOfError(datapilot, error) });
    }
  };
  return (
    <Menu
      icon={pinIcon}
      className="dp-Pin"
      label={pinned ? trans.__('Set aside for a dashboard') : trans.__('Pin to a dashboard')}
      text={pinned ? trans.__('Pinned') : trans.__('Pin')}
      pressed={pinned}
      onOpen={() => setOpen(true)}
      items={[
        {
          label: pinned ? trans.__('No longer for a new dashboard') : trans.__('For a new dashboard'),
          hint: trans.__('Set aside; “Publish” puts several together'),
          run: () => pins.toggle({ queryId: answer.id, title, trust: answer.trust })
        },
        ...dashboards.slice(0, MOST_SHOWN).map(one => ({
          label: trans.__('Add to “%1”', one.name),
          hint: trans.__('An administrator confirms it'),
          run: () => void add(one)
        }))
      ]}
    />
  );
}
