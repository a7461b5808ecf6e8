import { ISignal, Signal } from '@lumino/signaling';

import { Kept } from '../kept';

/** An answer that was set aside for a dashboard. Neither rows nor plan are kept here: they are asked for when it is used. */
export interface IPin {
  queryId: string;
  title: string;
  trust: string | null;
}

const MOST = 60;

/** The answers that were set aside, in this browser, for this person's server. */
export class Pins {
  constructor(private readonly _kept: Pick<Kept, 'read' | 'set'>) {
    const found = _kept.read<IPin[]>('pins');
    this._list = Array.isArray(found) ? found.filter(pin => typeof pin?.queryId === 'string').slice(0, MOST) : [];
  }

  get list(): readonly IPin[] {
    return this._list;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  has(queryId: string): boolean {
    return this._list.some(pin => pin.queryId === queryId);
  }

  /** Set an answer aside, or take it away when it is there; the sixty latest stay. */
  toggle(pin: IPin): void {
    this._keep(this.has(pin.queryId) ? this._list.filter(one => one.queryId !== pin.queryId) : [...this._list, pin].slice(-MOST));
  }

  /** Take some away: they were sent. */
  remove(queryIds: readonly string[]): void {
    this._keep(this._list.filter(pin => !queryIds.includes(pin.queryId)));
  }

  private _keep(list: IPin[]): void {
    this._list = list;
    this._kept.set('pins', JSON.stringify(list));
    this._changed.emit();
  }

  private _list: IPin[];
  private _changed = new Signal<this, void>(this);
}

const made = new Map<string, Pins>();

/** Return the pins of a server: one object for every part of the panel. */
export function pinsOf(baseUrl: string): Pins {
  let found = made.get(baseUrl);
  if (!found) {
    found = new Pins(new Kept(baseUrl, window.localStorage));
    made.set(baseUrl, found);
  }
  return found;
}
