/** One server-sent event; `number` is its id, counted from 0 within one question. */
export interface IServerEvent {
  number: number;
  event: string;
  data: unknown;
}

/** Reads server-sent events from pieces of text, however they are cut. */
export class EventReader {
  /** Take a piece; return the events that are whole with it. */
  push(piece: string): IServerEvent[] {
    this._left += piece;
    const blocks = this._left.split('\n\n');
    this._left = blocks.pop() ?? '';
    const found: IServerEvent[] = [];
    for (const block of blocks) {
      const read = this._read(block);
      if (read) {
        found.push(read);
      }
    }
    return found;
  }

  private _read(block: string): IServerEvent | null {
    let event = '';
    let number = -1;
    const data: string[] = [];
    for (const line of block.split('\n')) {
      if (line.startsWith('event: ')) {
        event = line.slice(7);
      } else if (line.startsWith('data: ')) {
        data.push(line.slice(6));
      } else if (line.startsWith('id: ')) {
        number = Number(line.slice(4));
      }
    }
    return event && data.length ? { number, event, data: JSON.parse(data.join('\n')) } : null;
  }

  private _left = '';
}

/** Give the events of a response until its end. Throws what reading throws. */
export async function* eventsOf(response: Response): AsyncGenerator<IServerEvent> {
  if (!response.body) {
    return;
  }
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const events = new EventReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      for (const event of events.push(decoder.decode(value, { stream: true }))) {
        yield event;
      }
    }
  } finally {
    // Leaving early closes the connection; the server half notices.
    await reader.cancel().catch(() => undefined);
  }
}
