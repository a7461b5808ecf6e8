import * as React from 'react';

import { IconButton } from '../chat/parts';
import { trashIcon } from '../icons';
import { ApiError } from '../api/errors';
import { FileDecision, JobOut, SourceOut, Understood, UploadOut, WorkspacesOut } from '../protocol';
import { Problem, Progress, sentenceOfError } from '../panel';
import { SourceOptions } from '../source-options';
import { IDataPilot } from '../tokens';
import { doubtful } from './decisions';
import { finished, keep, shareOf } from './keep';
import { Preview } from './preview';
import { readable, sourceNameOf, upload } from './upload';

/** A file on its way in. */
export interface IIncoming {
  share: number;
  upload: UploadOut | null;
  decision: FileDecision;
  understood: Understood | null;
  reading: boolean;
  problem: string | null;
}

const BEGINNING: IIncoming = { share: 0, upload: null, decision: {}, understood: null, reading: false, problem: null };

const isFiles = (source: SourceOut): boolean => source.type === 'files';

/** Files that were given: sent, shown as they were understood, corrected, kept as a source. */
export function Import(props: {
  datapilot: IDataPilot;
  files: readonly File[];
  onRemove: (file: File) => void;
  onKept: (sourceId: string) => void;
}): JSX.Element {
  const { datapilot, files } = props;
  const { trans, client, sources } = datapilot;
  const [incoming, setIncoming] = React.useState<ReadonlyMap<File, IIncoming>>(new Map());
  const [name, setName] = React.useState<string | null>(null);
  const [into, setInto] = React.useState('');
  const [workspace, setWorkspace] = React.useState('');
  const [workspaces, setWorkspaces] = React.useState<WorkspacesOut['items']>([]);
  const [job, setJob] = React.useState<JobOut | null>(null);
  const [keeping, setKeeping] = React.useState(false);
  const [problem, setProblem] = React.useState<string | null>(null);
  const aborts = React.useRef(new Map<File, AbortController>());
  const whole = React.useRef(new AbortController());

  const change = (file: File, changed: Partial<IIncoming>): void =>
    setIncoming(now => new Map(now).set(file, { ...(now.get(file) ?? BEGINNING), ...changed }));
  const failed = (file: File, error: unknown): void => {
    if (!(error instanceof ApiError && error.kind === 'cancelled')) {
      change(file, { problem: sentenceOfError(datapilot, error), reading: false });
    }
  };
  const read = async (file: File, uploaded: UploadOut, decision: FileDecision): Promise<void> => {
    change(file, { reading: true, decision, problem: null });
    try {
      const understood = await client.json<Understood>(`api/data-sources/uploads/${uploaded.id}/preview`, {
        method: 'POST',
        body: decision,
        timeoutMs: 300_000,
        signal: aborts.current.get(file)?.signal
      });
      change(file, { understood, reading: false });
    } catch (error) {
      failed(file, error);
    }
  };
  const send = async (file: File): Promise<void> => {
    const abort = new AbortController();
    aborts.current.set(file, abort);
    change(file, BEGINNING);
    if (!readable(file.name)) {
      change(file, { problem: trans.__('“%1” is not a CSV, Excel or Parquet file.', file.name) });
      return;
    }
    try {
      const sentences = {
        offline: trans.__('DataPilot does not answer at the moment.'),
        expired: trans.__('Your session has expired. Sign in again; what you typed is kept.')
      };
      const uploaded = await upload(client, file, sentences, share => change(file, { share }), abort.signal);
      change(file, { upload: uploaded, share: 1 });
      await read(file, uploaded, {});
    } catch (error) {
      failed(file, error);
    }
  };
  React.useEffect(() => {
    for (const file of files) {
      if (!aborts.current.has(file)) {
        void send(file);
      }
    }
  }, [files]);
  React.useEffect(() => {
    client
      .json<WorkspacesOut>('api/workspaces', { query: { limit: 200 } })
      .then(found => setWorkspaces(found.items))
      .catch(error => datapilot.noticed(error));
    return () => {
      whole.current.abort();
      aborts.current.forEach(abort => abort.abort());
    };
  }, []);

  const remove = (file: File): void => {
    const known = incoming.get(file);
    aborts.current.get(file)?.abort();
    aborts.current.delete(file);
    if (known?.upload) {
      client.json(`api/data-sources/uploads/${known.upload.id}`, { method: 'DELETE' }).catch(error => datapilot.noticed(error));
    }
    setIncoming(now => new Map([...now].filter(([one]) => one !== file)));
    props.onRemove(file);
  };

  const ready = files.flatMap(file => {
    const known = incoming.get(file);
    return known?.upload && known.understood?.files.length ? [{ file, known, upload: known.upload, understood: known.understood }] : [];
  });
  const waiting = files.some(file => {
    const known = incoming.get(file);
    return !known || known.reading || (!known.problem && !known.understood);
  });
  const doubts = ready.reduce((count, one) => count + doubtful(one.understood).length, 0);
  const targets = (sources.list ?? []).filter(isFiles);
  const called = name ?? sourceNameOf(files[0]?.name ?? '');

  const keepAll = async (): Promise<void> => {
    setKeeping(true);
    setProblem(null);
    setJob(null);
    try {
      const uploads = ready.map(one => ({ id: one.upload.id, name: one.upload.name, decision: one.known.decision }));
      const made = await keep(client, { name: called, workspaceId: workspace || null, into: into || null, uploads });
      const ended = await finished(client, made.source.id, made.job_id, setJob, whole.current.signal);
      if (ended.status !== 'done') {
        setProblem(ended.problem ?? trans.__('The file could not be read.'));
        void sources.refresh();
        return;
      }
      // What is known of a source that was there before is not true any more: it is read again, with the tables that came.
      await client.json(`sources/${made.source.id}`, { query: { fresh: 1 }, timeoutMs: 150_000, signal: whole.current.signal });
      await sources.refresh();
      props.onKept(made.source.id);
    } catch (error) {
      if (!whole.current.signal.aborted) {
        setProblem(sentenceOfError(datapilot, error));
      }
    } finally {
      setKeeping(false);
    }
  };

  return (
    <section className="dp-Import" aria-label={trans.__('Files to keep')}>
      {files.map(file => {
        const known = incoming.get(file) ?? BEGINNING;
        return (
          <article key={`${file.name}-${file.lastModified}-${file.size}`} className="dp-Incoming" aria-label={file.name}>
            <header>
              <b>{file.name}</b>
              <span className="dp-Spacer" />
              <IconButton
                icon={trashIcon}
                className="dp-mod-quiet"
                label={trans.__('Give up “%1”', file.name)}
                disabled={keeping}
                onClick={() => remove(file)}
              />
            </header>
            <Problem text={known.problem} />
            {known.problem && known.upload === null && readable(file.name) ? (
              <button type="button" className="dp-Go" onClick={() => void send(file)}>
                {trans.__('Try again')}
              </button>
            ) : null}
            {!known.problem && !known.upload ? (
              <Progress label={trans.__('Sending: %1 %', Math.round(known.share * 100))} share={known.share} />
            ) : null}
            {known.reading && !known.understood ? <Progress label={trans.__('Reading the file…')} share={null} /> : null}
            {known.understood && known.upload ? (
              <Preview
                datapilot={datapilot}
                understood={known.understood}
                decision={known.decision}
                busy={known.reading || keeping}
                onDecide={decision => void (known.upload && read(file, known.upload, decision))}
              />
            ) : null}
          </article>
        );
      })}
      {ready.length ? (
        <form
          className="dp-Keep"
          onSubmit={event => {
            event.preventDefault();
            void keepAll();
          }}
        >
          {targets.length ? (
            <label>
              {trans.__('Keep in')}
              <select value={into} disabled={keeping} onChange={event => setInto(event.target.value)}>
                <option value="">{trans.__('A new source')}</option>
                <SourceOptions datapilot={datapilot} among={isFiles} />
              </select>
            </label>
          ) : null}
          {into ? (
            <p className="dp-Note">{trans.__('A file of the same name in this source is replaced.')}</p>
          ) : (
            <label>
              {trans.__('Name')}
              <input type="text" required maxLength={100} value={called} disabled={keeping} onChange={event => setName(event.target.value)} />
            </label>
          )}
          {!into ? (
            <label>
              {trans.__('Seen by')}
              <select value={workspace} disabled={keeping} onChange={event => setWorkspace(event.target.value)}>
                <option value="">{trans.__('Everyone in my organisation who asks questions')}</option>
                {workspaces.map(one => (
                  <option key={one.id} value={one.id}>
                    {trans.__('Members of “%1”', one.name)}
                  </option>
                ))}
              </select>
            </label>
          ) : null}
          {doubts ? (
            <p className="dp-Note" role="status">
              {trans._n('%1 column to confirm above; kept as it is, it is read as shown.', '%1 columns to confirm above; kept as they are, they are read as shown.', doubts)}
            </p>
          ) : null}
          <button type="submit" className="dp-Go" disabled={keeping || waiting || (!into && !called.trim())}>
            {trans.__('Keep and ask')}
          </button>
        </form>
      ) : null}
      {keeping ? <Progress label={trans.__('Preparing the tables…')} share={shareOf(job)} /> : null}
      <Problem text={problem} />
    </section>
  );
}
