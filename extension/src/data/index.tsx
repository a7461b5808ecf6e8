import * as React from 'react';
import { JupyterFrontEnd } from '@jupyterlab/application';
import { Widget } from '@lumino/widgets';

import { Banner } from '../chat/banner';
import { useSignal } from '../chat/context';
import { IconButton } from '../chat/parts';
import { CommandIDs } from '../commands';
import { dataIcon, plusIcon } from '../icons';
import { PagesLink, SectionWidget } from '../panel';
import { SourceOptions } from '../source-options';
import { IDataPilot } from '../tokens';
import { Browser } from './browser';
import { Import } from './import';
import { READABLE } from './upload';

/** What the section for data is made with. */
export interface IDataOptions {
  app: JupyterFrontEnd;
  datapilot: IDataPilot;
}

/** Sources with their tables, and files that become one. */
export function DataPane({ app, datapilot }: IDataOptions): JSX.Element {
  const { trans, sources } = datapilot;
  const [files, setFiles] = React.useState<readonly File[]>([]);
  const [over, setOver] = React.useState(false);
  const [kept, setKept] = React.useState<string | null>(null);
  const input = React.useRef<HTMLInputElement>(null);
  const depth = React.useRef(0);
  useSignal(sources.changed);
  useSignal(datapilot.connectionChanged);
  React.useEffect(() => void datapilot.reconnect(), []);

  const take = (given: FileList | null): void => {
    if (given?.length) {
      setKept(null);
      setFiles(now => [...now, ...Array.from(given)]);
    }
  };
  const isFiles = (event: React.DragEvent): boolean => Array.from(event.dataTransfer?.types ?? []).includes('Files');
  const ask = (question: string): void => void app.commands.execute(CommandIDs.ask, { question, send: true });
  const list = sources.list ?? [];
  return (
    <div
      className={over ? 'dp-Pane-body dp-mod-over' : 'dp-Pane-body'}
      onDragEnter={event => {
        if (isFiles(event)) {
          event.preventDefault();
          depth.current += 1;
          setOver(true);
        }
      }}
      onDragOver={event => {
        if (isFiles(event)) {
          event.preventDefault();
          event.dataTransfer.dropEffect = 'copy';
        }
      }}
      onDragLeave={() => {
        depth.current = Math.max(0, depth.current - 1);
        setOver(depth.current > 0);
      }}
      onDrop={event => {
        depth.current = 0;
        setOver(false);
        if (isFiles(event)) {
          event.preventDefault();
          event.stopPropagation();
          take(event.dataTransfer.files);
        }
      }}
    >
      <Banner datapilot={datapilot} />
      <div className="dp-Drop">
        <p>{trans.__('Drop a CSV, Excel or Parquet file here')}</p>
        <IconButton
          icon={plusIcon}
          className="dp-Drop-button"
          label={trans.__('Choose a file')}
          text={trans.__('Choose a file')}
          onClick={() => input.current?.click()}
        />
        <input
          ref={input}
          type="file"
          hidden
          multiple
          accept={READABLE.join(',')}
          aria-label={trans.__('Choose a file')}
          onChange={event => {
            take(event.target.files);
            event.target.value = '';
          }}
        />
      </div>
      {files.length ? (
        <Import
          datapilot={datapilot}
          files={files}
          onRemove={file => setFiles(now => now.filter(one => one !== file))}
          onKept={sourceId => {
            setFiles([]);
            setKept(sourceId);
            void sources.choose(sourceId);
          }}
        />
      ) : null}
      {kept && kept === sources.current?.id ? (
        <p className="dp-Said" role="status">
          {trans.__('“%1” is ready: ask your first question.', sources.current.name)}
        </p>
      ) : null}
      <div className="dp-Row-tools">
        <label>
          {trans.__('Source')}{' '}
          <select
            className="dp-Data-source"
            value={sources.current?.id ?? ''}
            disabled={list.length === 0}
            onChange={event => void sources.choose(event.target.value)}
          >
            {list.length === 0 ? <option value="">{trans.__('No source')}</option> : null}
            <SourceOptions datapilot={datapilot} />
          </select>
        </label>
        <span className="dp-Spacer" />
        <PagesLink
          datapilot={datapilot}
          icon={dataIcon}
          path={datapilot.me?.role === 'administrator' ? 'sources' : ''}
          text={trans.__('Manage the connections')}
          label={trans.__('Connections and their passwords are managed on DataPilot’s own pages')}
        />
      </div>
      {sources.current ? <Browser key={sources.current.id} datapilot={datapilot} source={sources.current} onAsk={ask} /> : null}
    </div>
  );
}

/** Make the section's widget. */
export function createData(options: IDataOptions): Widget {
  return new SectionWidget(() => <DataPane {...options} />, 'dp-Data');
}
