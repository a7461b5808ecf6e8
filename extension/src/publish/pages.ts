import * as React from 'react';

import { PublishableOut, PublishablesOut, RequestOut } from '../protocol';
import { IDataPilot } from '../tokens';

/** The page of the dashboard that a request became, beside the page where it was decided. */
export function dashboardUrl(request: Pick<RequestOut, 'url' | 'dashboard_id'>): string {
  return request.url.replace(/\/publications\/[^/]*$/, `/tableaux/${request.dashboard_id ?? ''}`);
}

/** The dashboards that one may ask to add to. */
export function usePublishables(datapilot: IDataPilot, wanted = true): readonly PublishableOut[] {
  const [found, setFound] = React.useState<readonly PublishableOut[]>([]);
  React.useEffect(() => {
    if (!wanted) {
      return;
    }
    const abort = new AbortController();
    datapilot.client
      .json<PublishablesOut>('api/dashboards/publishable', { query: { limit: 200 }, signal: abort.signal })
      .then(said => setFound(said.items))
      .catch(error => datapilot.noticed(error));
    return () => abort.abort();
  }, [wanted]);
  return found;
}
