import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { ApiError, isErrorBody, saidBy } from './errors';
import { eventsOf, IServerEvent } from './sse';

/** What may go with a request. */
export interface IRequest {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is (a file). */
  raw?: Blob;
  headers?: Record<string, string>;
  query?: Record<string, string | number | boolean | null | undefined>;
  signal?: AbortSignal;
  /** Milliseconds until it is given up; 0: never. Default 30 000. */
  timeoutMs?: number;
}

/** The sentences of errors that have none of the platform's: translated by whoever makes the client. */
export interface ISentences {
  offline: string;
  expired: string;
  timedOut: string;
}

const USUAL_TIMEOUT_MS = 30_000;

/**
 * Requests to the server half of this extension, below `/datapilot` of the notebook server.
 *
 * Paths beginning with `api/` pass through to the platform's API (`api/queries` is `/api/v1/queries`); the others are the
 * half's own. Every request has a timeout, may be aborted, and ends in an answer or in an {@link ApiError}. The browser's
 * own cookie and XSRF token go with it, as with every request of JupyterLab; there is no other credential.
 */
export class Client {
  constructor(
    readonly settings: ServerConnection.ISettings,
    readonly language: string,
    private readonly _sentences: ISentences
  ) {}

  /** The address of a path: for links (a file to download). */
  url(path: string, query: IRequest['query'] = {}): string {
    const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
    const search = URLExt.objectToQueryString(Object.fromEntries(given.map(([key, value]) => [key, String(value)])));
    return URLExt.join(this.settings.baseUrl, 'datapilot', path) + search;
  }

  /** A fresh id for a question. */
  static requestId(): string {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
  }

  /** Ask for JSON. */
  async json<T>(path: string, request: IRequest = {}): Promise<T> {
    return this._within(request, async signal => {
      const response = await this._sent(path, request, signal);
      return (response.status === 204 ? undefined : await response.json()) as T;
    });
  }

  /** Ask for text. */
  async text(path: string, request: IRequest = {}): Promise<string> {
    return this._within(request, async signal => (await this._sent(path, request, signal)).text());
  }

  /** Listen to server-sent events until their end. There is no timeout: the half says « still there » every ten seconds. */
  async *events(path: string, request: IRequest = {}): AsyncGenerator<IServerEvent> {
    try {
      const response = await this._sent(path, request, request.signal, 'text/event-stream');
      yield* eventsOf(response);
    } catch (error) {
      throw this._ours(error, request.signal, false);
    }
  }

  private async _within<T>(request: IRequest, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const own = new AbortController();
    let late = false;
    const stop = (): void => own.abort();
    const milliseconds = request.timeoutMs ?? USUAL_TIMEOUT_MS;
    const timer = milliseconds
      ? setTimeout(() => {
          late = true;
          own.abort();
        }, milliseconds)
      : undefined;
    request.signal?.addEventListener('abort', stop);
    if (request.signal?.aborted) {
      own.abort();
    }
    try {
      return await work(own.signal);
    } catch (error) {
      throw this._ours(error, request.signal, late);
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', stop);
    }
  }

  private async _sent(path: string, request: IRequest, signal?: AbortSignal, accept?: string): Promise<Response> {
    const headers: Record<string, string> = { 'Accept-Language': this.language, ...request.headers };
    if (accept) {
      headers['Accept'] = accept;
    }
    const init: RequestInit = { method: request.method ?? 'GET', headers, signal, redirect: 'manual' };
    if (request.raw !== undefined) {
      init.body = request.raw;
      headers['Content-Type'] = 'application/octet-stream';
    } else if (request.body !== undefined) {
      init.body = JSON.stringify(request.body);
      headers['Content-Type'] = 'application/json';
    }
    const response = await ServerConnection.makeRequest(this.url(path, request.query), init, this.settings);
    if (response.ok) {
      return response;
    }
    const said: unknown = await response.json().catch(() => null);
    if (isErrorBody(said)) {
      throw saidBy(said, response.status);
    }
    // Not our shape: the notebook server itself. A sign-in that has run out is 401, 403 or a redirect to the sign-in page.
    if ([0, 302, 401, 403].includes(response.status)) {
      throw new ApiError('expired', 'expired', this._sentences.expired, response.status);
    }
    throw new ApiError('offline', 'server', this._sentences.offline, response.status);
  }

  private _ours(error: unknown, signal: AbortSignal | undefined, late: boolean): ApiError {
    if (error instanceof ApiError) {
      return error;
    }
    if (signal?.aborted) {
      return new ApiError('cancelled', 'cancelled', '');
    }
    if (late) {
      return new ApiError('offline', 'timeout', this._sentences.timedOut);
    }
    // A network error of fetch (ServerConnection.NetworkError, TypeError while reading), or an answer cut in the middle.
    return new ApiError('offline', 'network', this._sentences.offline);
  }
}
