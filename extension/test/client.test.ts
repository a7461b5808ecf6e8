import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerConnection } from '@jupyterlab/services';

import { Client } from '../src/api/client';
import { ApiError } from '../src/api/errors';

const sentences = { offline: 'parti', expired: 'expiré', timedOut: 'trop long' };

function clientOf(answer: (request: Request) => Promise<Response> | Response): { client: Client; seen: Request[] } {
  const seen: Request[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://127.0.0.1/user/lab/',
    fetch: (async (input: RequestInfo, init?: RequestInit) => {
      const request = new Request(input, init);
      seen.push(request);
      return answer(request);
    }) as typeof fetch
  });
  return { client: new Client(settings, 'fr', sentences), seen };
}

async function failed(work: Promise<unknown>): Promise<ApiError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    return error;
  }
  throw new Error('it did not fail');
}

const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status });

test('a request goes below /datapilot, in the panel’s language, with what is asked for', async () => {
  const { client, seen } = clientOf(() => json({ a: 1 }));
  assert.deepEqual(await client.json('api/queries', { query: { q: 'é & è', cursor: null, limit: 3 } }), { a: 1 });
  // JupyterLab adds the time to every address, against caches; the half passes on what is listed, and that is not.
  const address = seen[0].url.replace(/&\d+$/, '');
  assert.equal(address, 'http://127.0.0.1/user/lab/datapilot/api/queries?q=%C3%A9%20%26%20%C3%A8&limit=3');
  assert.equal(seen[0].headers.get('accept-language'), 'fr');
  assert.equal(seen[0].headers.get('authorization'), null);
});

test('an answer that is not the platform’s is the notebook server’s own: the sign-in has run out', async () => {
  for (const status of [401, 403]) {
    const { client } = clientOf(() => json({ message: 'Forbidden', reason: null }, status));
    const error = await failed(client.json('status'));
    assert.deepEqual([error.kind, error.message], ['expired', 'expiré']);
  }
  const { client } = clientOf(() => new Response('<html>', { status: 502 }));
  assert.equal((await failed(client.json('status'))).kind, 'offline');
});

test('the platform’s own words come through', async () => {
  const error = { code: 'too_many', message: 'Trop.', details: {}, incident: null };
  const { client } = clientOf(() => json({ error }, 429));
  const found = await failed(client.json('status'));
  assert.deepEqual([found.kind, found.code, found.message, found.status], ['said', 'too_many', 'Trop.', 429]);
});

test('a request that takes too long is given up; one that is aborted is not an error of the network', async () => {
  const never = (request: Request): Promise<Response> =>
    new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(new Error('aborted'))));
  const { client } = clientOf(never);
  const late = await failed(client.json('status', { timeoutMs: 20 }));
  assert.deepEqual([late.kind, late.code], ['offline', 'timeout']);
  const abort = new AbortController();
  const work = failed(client.json('status', { signal: abort.signal }));
  abort.abort();
  assert.equal((await work).kind, 'cancelled');
});

test('a network that is gone is said in a sentence', async () => {
  const { client } = clientOf(() => {
    throw new TypeError('Failed to fetch');
  });
  const error = await failed(client.json('status'));
  assert.deepEqual([error.kind, error.message], ['offline', 'parti']);
});

test('events come through, and a stream that is cut says so', async () => {
  const { client } = clientOf(
    () =>
      new Response(
        new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode('id: 0\nevent: queued\ndata: {}\n\n'));
            setTimeout(() => controller.error(new Error('cut')), 5);
          }
        })
      )
  );
  const found: string[] = [];
  const error = await failed(
    (async () => {
      for await (const event of client.events('ask/x')) {
        found.push(event.event);
      }
    })()
  );
  assert.deepEqual(found, ['queued']);
  assert.equal(error.kind, 'offline');
});
