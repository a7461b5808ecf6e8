import * as React from 'react';
import { LabIcon } from '@jupyterlab/ui-components';

import { useChat, useSignal } from '../chat/context';
import { IconButton } from '../chat/parts';
import { Answer } from '../protocol';
import { pinsOf } from './pins';

export const pinIcon = new LabIcon({
  name: 'datapilot:pin',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 24 24" fill="none" stroke="#616161" class="jp-icon-stroke" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round"><path d="M9 4h6l-1 6 4 4H6l4-4zM12 14v6"/></svg>'
});

/** Sets an answer aside for a dashboard; the section « Publish » asks for it. SQL has no plan that could be run for others. */
export function Pin({ answer, question }: { answer: Answer; question: string }): JSX.Element | null {
  const { trans, client } = useChat().datapilot;
  const pins = pinsOf(client.settings.baseUrl);
  useSignal(pins.changed);
  if (!answer.plan) {
    return null;
  }
  const pinned = pins.has(answer.id);
  return (
    <IconButton
      icon={pinIcon}
      label={pinned ? trans.__('Pinned for a dashboard; take it away') : trans.__('Pin for a dashboard (see “Publish”)')}
      text={pinned ? trans.__('Pinned') : trans.__('Pin')}
      pressed={pinned}
      onClick={() => pins.toggle({ queryId: answer.id, title: (question || answer.sentence).slice(0, 300), trust: answer.trust })}
    />
  );
}
