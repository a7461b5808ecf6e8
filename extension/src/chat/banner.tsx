import * as React from 'react';
import { PageConfig, URLExt } from '@jupyterlab/coreutils';

import { IDataPilot } from '../tokens';
import { useSignal } from './context';

/** How it stands with the platform, when it does not stand well; nothing else. */
export function Banner({ datapilot }: { datapilot: IDataPilot }): JSX.Element | null {
  const { trans, connection } = datapilot;
  useSignal(datapilot.connectionChanged);
  switch (connection.state) {
    case 'starting':
    case 'connected':
      return null;
    case 'lost':
      return (
        <div className="dp-Banner dp-mod-lost" role="status">
          <span>{connection.message}</span>
          <button type="button" className="dp-Plain" onClick={() => void datapilot.reconnect()}>
            {trans.__('Try now')}
          </button>
        </div>
      );
    case 'expired':
      // In a tab of its own: what is typed here stays, and this page goes on when the sign-in is done.
      return (
        <div className="dp-Banner dp-mod-expired" role="alert">
          <span>{connection.message}</span>
          <a className="dp-Go" target="_blank" rel="noreferrer" href={signInUrl()}>
            {trans.__('Sign in')}
          </a>
          <button type="button" className="dp-Plain" onClick={() => void datapilot.reconnect()}>
            {trans.__('I have signed in')}
          </button>
        </div>
      );
    case 'missing':
      return (
        <div className="dp-Banner dp-mod-missing" role="status">
          <span>{connection.message}</span>
          <button type="button" className="dp-Plain" onClick={() => void datapilot.reconnect()}>
            {trans.__('Look again')}
          </button>
        </div>
      );
  }
}

/** Where one signs in: the notebook server's own page, which a hub answers with its own. */
function signInUrl(): string {
  return URLExt.join(PageConfig.getBaseUrl(), 'lab', 'tree');
}
