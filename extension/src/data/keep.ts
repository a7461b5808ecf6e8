import { Client } from '../api/client';
import { CreatedOut, FileDecision, JobOut } from '../protocol';

/** What is kept: uploads with what was decided about them, as a new source or in one that is there. */
export interface IKeep {
  name: string;
  workspaceId: string | null;
  /** A source of files that they become part of; null: a new one. */
  into: string | null;
  uploads: readonly { id: string; name: string; decision: FileDecision }[];
}

/** Keep uploads; return the source and the job that reads it. */
export function keep(client: Pick<Client, 'json'>, what: IKeep): Promise<CreatedOut> {
  const uploads = what.uploads.map(one => one.id);
  const files = Object.fromEntries(what.uploads.map(one => [one.name, one.decision]));
  const common = { method: 'POST' as const, timeoutMs: 120_000 };
  return what.into
    ? client.json<CreatedOut>(`api/data-sources/${what.into}/files`, { ...common, body: { uploads, files } })
    : client.json<CreatedOut>('api/data-sources/from-files', {
        ...common,
        body: { name: what.name.trim(), workspace_id: what.workspaceId, uploads, files }
      });
}

const POLL_MS = 400;

/** Wait for a job, telling how far it is. Resolves with the job when it has ended, well or not. */
export async function finished(
  client: Pick<Client, 'json'>,
  sourceId: string,
  jobId: string,
  tell: (job: JobOut) => void,
  signal: AbortSignal,
  wait: (milliseconds: number) => Promise<void> = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
): Promise<JobOut> {
  for (;;) {
    const job = await client.json<JobOut>(`api/data-sources/${sourceId}/jobs/${jobId}`, { signal });
    tell(job);
    if (job.status !== 'queued' && job.status !== 'running') {
      return job;
    }
    await wait(POLL_MS);
  }
}

/** How far a job is, 0 to 1; null: it does not say. */
export function shareOf(job: JobOut | null): number | null {
  const { done, total } = (job?.progress ?? {}) as { done?: number; total?: number };
  return typeof done === 'number' && typeof total === 'number' && total > 0 ? Math.min(1, done / total) : null;
}
