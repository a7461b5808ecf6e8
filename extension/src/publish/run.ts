import { ServiceManager, Session } from '@jupyterlab/services';
import { PathExt } from '@jupyterlab/coreutils';

/** A cell that failed: where, and the first line of what it said. */
export interface IFailed {
  cell: number;
  message: string;
}

/** What is run: the notebook's path (for the working folder), its kernel, its code cells with their places. */
export interface IToRun {
  path: string;
  kernelName: string;
  cells: readonly { cell: number; source: string }[];
}

/**
 * Run cells from top to bottom on a kernel of their own, which is ended afterwards whatever comes.
 *
 * The open notebook's kernel and outputs are not touched: what is checked is that the notebook works for somebody who opens
 * it fresh. The session has a path of its own beside the notebook (a session with the notebook's path is the open one).
 */
export async function runFresh(
  manager: Pick<ServiceManager.IManager, 'sessions'>,
  what: IToRun,
  tell: (done: number, total: number) => void,
  signal: AbortSignal
): Promise<IFailed | null> {
  const name = `.datapilot-${crypto.getRandomValues(new Uint32Array(1))[0].toString(16)}.ipynb`;
  const path = PathExt.join(PathExt.dirname(what.path), name);
  let session: Session.ISessionConnection | null = null;
  const stop = (): void => void session?.shutdown().catch(() => undefined);
  try {
    session = await manager.sessions.startNew(
      { path, name, type: 'notebook', kernel: { name: what.kernelName } },
      // Widgets are not shown here: their channels are nobody's.
      { kernelConnectionOptions: { handleComms: false } }
    );
    signal.addEventListener('abort', stop);
    const { kernel } = session;
    if (!kernel) {
      throw new Error('no kernel');
    }
    for (let at = 0; at < what.cells.length; at++) {
      signal.throwIfAborted();
      tell(at, what.cells.length);
      const { cell, source } = what.cells[at];
      const future = kernel.requestExecute({ code: source, stop_on_error: true, allow_stdin: false, store_history: true });
      const gone = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
        kernel.statusChanged.connect((_sender, status) => {
          if (status === 'dead') {
            reject(new Error('dead'));
          }
        });
      });
      const reply = await Promise.race([future.done, gone]);
      if (reply.content.status === 'error') {
        return { cell, message: String(reply.content.evalue || reply.content.ename).split('\n')[0].slice(0, 300) };
      }
      if (reply.content.status !== 'ok') {
        return { cell, message: '' };
      }
    }
    tell(what.cells.length, what.cells.length);
    return null;
  } finally {
    signal.removeEventListener('abort', stop);
    await session?.shutdown().catch(() => undefined);
    session?.dispose();
  }
}
