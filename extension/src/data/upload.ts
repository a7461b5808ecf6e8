import { Client } from '../api/client';
import { ApiError, isErrorBody, saidBy } from '../api/errors';
import { UploadOut } from '../protocol';

/** What can be read: the endings of file names, as the platform knows them. */
export const READABLE = ['.csv', '.tsv', '.txt', '.tab', '.xlsx', '.xls', '.xlsm', '.xlsb', '.ods', '.parquet'];

/** Tell whether a file's name ends like one that can be read. */
export function readable(name: string): boolean {
  return READABLE.some(ending => name.toLowerCase().endsWith(ending));
}

/** Return a source's name for a file: « ventes_2026.csv » is « ventes 2026 ». */
export function sourceNameOf(fileName: string): string {
  const bare = fileName.replace(/(\.(csv|tsv|txt|tab|xlsx|xlsm|xlsb|xls|ods|parquet))+$/i, '');
  return bare.replace(/[_\s]+/g, ' ').trim().slice(0, 100) || fileName.slice(0, 100);
}

/** What is shown when the platform itself says nothing. */
export interface IUploadSentences {
  offline: string;
  expired: string;
}

/**
 * Send a file, telling the share that has gone out (0 to 1).
 *
 * By XMLHttpRequest: fetch tells nothing of a request's progress. The browser's cookie and the XSRF token go with it, as
 * with every other request of the panel.
 */
export function upload(
  client: Pick<Client, 'url' | 'settings' | 'language'>,
  file: File,
  sentences: IUploadSentences,
  progress: (share: number) => void,
  signal: AbortSignal
): Promise<UploadOut> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', client.url('api/data-sources/upload'));
    request.withCredentials = true;
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.setRequestHeader('X-File-Name', encodeURIComponent(file.name));
    request.setRequestHeader('Accept-Language', client.language);
    const xsrf = /(?:^|;\s*)_xsrf=([^;]*)/.exec(document.cookie)?.[1];
    if (xsrf) {
      request.setRequestHeader('X-XSRFToken', xsrf);
    }
    if (client.settings.token) {
      request.setRequestHeader('Authorization', `token ${client.settings.token}`);
    }
    request.upload.onprogress = event => progress(event.lengthComputable && event.total ? event.loaded / event.total : 0);
    request.onload = () => {
      let said: unknown = null;
      try {
        said = JSON.parse(request.responseText);
      } catch {
        // Not the platform's: told below.
      }
      if (request.status === 201) {
        resolve(said as UploadOut);
      } else if (isErrorBody(said)) {
        reject(saidBy(said, request.status));
      } else if ([302, 401, 403].includes(request.status)) {
        reject(new ApiError('expired', 'expired', sentences.expired, request.status));
      } else {
        reject(new ApiError('offline', 'server', sentences.offline, request.status));
      }
    };
    request.onerror = () => reject(new ApiError('offline', 'network', sentences.offline));
    request.onabort = () => reject(new ApiError('cancelled', 'cancelled', ''));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}
