/**
 * What survives a reload of the page: the source, the conversation, the text being typed, the question that runs.
 *
 * Kept in the tab (sessionStorage), below the notebook server's address, so that two people who share an origin do not meet.
 * Answers are not in it: rows stay with the platform and are fetched again.
 */
export class Kept {
  constructor(
    baseUrl: string,
    private readonly _storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> = window.sessionStorage
  ) {
    this._prefix = `datapilot:${baseUrl}:`;
  }

  get(name: string): string | null {
    try {
      return this._storage.getItem(this._prefix + name);
    } catch {
      return null;
    }
  }

  /** Keep a text; null: forget it. A browser that keeps nothing is no reason to fail. */
  set(name: string, value: string | null): void {
    try {
      if (value === null) {
        this._storage.removeItem(this._prefix + name);
      } else {
        this._storage.setItem(this._prefix + name, value);
      }
    } catch {
      // Private windows may refuse.
    }
  }

  /** Return what was kept as JSON; null: nothing, or nothing that can be read. */
  read<T>(name: string): T | null {
    const found = this.get(name);
    if (found === null) {
      return null;
    }
    try {
      return JSON.parse(found) as T;
    } catch {
      return null;
    }
  }

  private readonly _prefix: string;
}
