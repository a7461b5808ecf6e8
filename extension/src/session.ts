import { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { TranslationBundle } from '@jupyterlab/translation';

import { Client } from './api/client';
import { ApiError } from './api/errors';
import { Connection, IDataPilot, ISources, Language } from './tokens';
import { About, MeOut, SourceOut, SourcesOut, Status, WorkspacesOut } from './protocol';
import { Kept } from './kept';

const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

/** The sources, kept up to date. */
class Sources implements ISources {
  constructor(
    private readonly _session: Session,
    private readonly _kept: Kept
  ) {}

  get list(): readonly SourceOut[] | null {
    return this._list;
  }

  get current(): SourceOut | null {
    return this._current;
  }

  get about(): About | null {
    return this._about;
  }

  get workspaces(): ReadonlyMap<string, string> {
    return this._workspaces;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  async refresh(): Promise<void> {
    const found: SourceOut[] = [];
    let cursor: string | null = null;
    do {
      const page: SourcesOut = await this._session.client.json('api/data-sources', { query: { limit: 200, cursor } });
      found.push(...page.items);
      cursor = page.next;
    } while (cursor);
    await this._nameWorkspaces(found);
    this._list = found.sort((a, b) => a.name.localeCompare(b.name, this._session.language));
    const kept = this._current?.id ?? this._kept.get('source');
    const chosen = this._list.find(source => source.id === kept) ?? this._list[0] ?? null;
    await this._use(chosen);
  }

  async choose(sourceId: string): Promise<void> {
    let found = this._list?.find(source => source.id === sourceId);
    if (!found) {
      this._kept.set('source', sourceId);
      this._current = null;
      await this.refresh();
      found = this._list?.find(source => source.id === sourceId);
    }
    if (found) {
      await this._use(found);
    }
  }

  /** Without their names sources are listed all the same. */
  private async _nameWorkspaces(found: readonly SourceOut[]): Promise<void> {
    if (found.every(source => source.workspace_id === null || this._workspaces.has(source.workspace_id))) {
      return;
    }
    try {
      const said = await this._session.client.json<WorkspacesOut>('api/workspaces', { query: { limit: 200 } });
      this._workspaces = new Map(said.items.map(one => [one.id, one.name]));
    } catch (error) {
      this._session.noticed(error);
    }
  }

  private async _use(source: SourceOut | null): Promise<void> {
    const other = source?.id !== this._current?.id;
    this._current = source;
    if (other) {
      this._about = null;
    }
    if (source) {
      this._kept.set('source', source.id);
    }
    this._changed.emit();
    if (!source) {
      return;
    }
    try {
      const about = await this._session.client.json<About>(`sources/${source.id}`, { timeoutMs: 150_000 });
      if (this._current?.id === source.id) {
        this._about = about;
        this._changed.emit();
      }
    } catch (error) {
      // Without it there are no suggestions; a question says what is wrong with the source.
      this._session.noticed(error);
    }
  }

  private _list: SourceOut[] | null = null;
  private _workspaces: ReadonlyMap<string, string> = new Map();
  private _current: SourceOut | null = null;
  private _about: About | null = null;
  private _changed = new Signal<this, void>(this);
}

/** What every panel shares. Starts by itself; what is lost is tried again until it is back. */
export class Session implements IDataPilot, IDisposable {
  constructor(
    readonly client: Client,
    readonly trans: TranslationBundle,
    readonly language: Language,
    kept: Kept
  ) {
    this.sources = new Sources(this, kept);
    this._visible = () => {
      if (document.visibilityState === 'visible' && this._connection.state !== 'connected') {
        void this.reconnect();
      }
    };
    document.addEventListener('visibilitychange', this._visible);
    window.addEventListener('online', this._visible);
  }

  readonly sources: ISources;

  get connection(): Connection {
    return this._connection;
  }

  get me(): MeOut | null {
    return this._me;
  }

  get pagesUrl(): string | null {
    return this._pagesUrl;
  }

  get connectionChanged(): ISignal<this, Connection> {
    return this._connectionChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    clearTimeout(this._timer);
    document.removeEventListener('visibilitychange', this._visible);
    window.removeEventListener('online', this._visible);
    Signal.clearData(this);
  }

  async reconnect(): Promise<void> {
    clearTimeout(this._timer);
    if (this._isDisposed || this._asking) {
      return;
    }
    this._asking = true;
    try {
      const status = await this.client.json<Status>('status', { timeoutMs: 15_000 });
      this._me = status.me as MeOut | null;
      this._pagesUrl = status.pages_url;
      if (status.connected) {
        const first = this.sources.list === null;
        this._tries = 0;
        this._become({ state: 'connected' });
        if (first) {
          await this.sources.refresh();
        }
      } else if (status.code === 'unreachable') {
        this._become({ state: 'lost', message: status.message ?? '' });
        this._again();
      } else if (status.code === 'not_signed_in') {
        this._become({ state: 'expired', message: status.message ?? '' });
      } else {
        this._become({ state: 'missing', code: status.code ?? 'no_platform', message: status.message ?? '' });
      }
    } catch (error) {
      this.noticed(error);
    } finally {
      this._asking = false;
    }
  }

  /** An error of a request may say how it stands with the platform; any other is not for here. */
  noticed(error: unknown): void {
    if (!(error instanceof ApiError)) {
      return;
    }
    if (error.kind === 'expired') {
      this._become({ state: 'expired', message: error.message });
    } else if (error.kind === 'offline') {
      this._become({ state: 'lost', message: error.message });
      this._again();
    }
  }

  private _again(): void {
    clearTimeout(this._timer);
    const wait = RETRY_MS[Math.min(this._tries, RETRY_MS.length - 1)];
    this._tries += 1;
    this._timer = setTimeout(() => void this.reconnect(), wait);
  }

  private _become(connection: Connection): void {
    const before = this._connection;
    this._connection = connection;
    if (before.state !== connection.state) {
      this._connectionChanged.emit(connection);
    }
  }

  private _connection: Connection = { state: 'starting' };
  private _connectionChanged = new Signal<this, Connection>(this);
  private _me: MeOut | null = null;
  private _pagesUrl: string | null = null;
  private _tries = 0;
  private _asking = false;
  private _isDisposed = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private readonly _visible: () => void;
}
