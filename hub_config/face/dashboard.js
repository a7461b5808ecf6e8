// The page of a dashboard: fetches the tiles, a few at a time and in their order, puts what the server wrote into its place and
// lets the charts' library draw. It formats nothing, keeps nothing, and asks nobody but its own origin.
(() => {
  'use strict';
  const AT_ONCE = 2;
  const STILL_OPEN_MS = 20000;
  const nonce = document.currentScript.nonce;
  const board = document.getElementById('dp-board');
  const form = document.getElementById('dp-filters');
  const content = document.getElementById('content');
  const words = board.dataset;
  const tiles = Array.from(board.querySelectorAll('.dp-tile'));
  let round = 0;
  let stopping = new AbortController();
  let closed = false;

  // ── charts ───────────────────────────────────────────────────────────────────────────────────────────────────────

  let library = null;
  const plotly = () => {
    library = library || new Promise((done, failed) => {
      if (!words.plotly) {
        failed(new Error('no library'));
        return;
      }
      const script = document.createElement('script');
      script.nonce = nonce;
      script.src = words.plotly;
      script.onload = () => done(window.Plotly);
      script.onerror = () => {
        library = null;
        script.remove();
        failed(new Error('not loaded'));
      };
      document.head.append(script);
    });
    return library;
  };
  const CONFIG = { displayModeBar: false, displaylogo: false, responsive: true, showTips: false };

  // The charts' words in the page's own colour, whichever theme is on.
  const ink = () => getComputedStyle(board).getPropertyValue('--dp-soft').trim();
  const recolour = () => {
    for (const host of board.querySelectorAll('.dp-chart.js-plotly-plot')) {
      window.Plotly.relayout(host, { 'font.color': ink() });
    }
  };
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour);

  const draw = async (tile, chart, sentence, mine) => {
    const host = tile.querySelector('.dp-chart');
    if (!chart) {
      if (window.Plotly) {
        window.Plotly.purge(host);
      }
      host.hidden = true;
      return;
    }
    try {
      const drawn = await plotly();
      if (mine !== round || closed) {
        return;
      }
      host.hidden = false;
      host.setAttribute('role', 'img');
      host.setAttribute('aria-label', sentence);
      await drawn.react(host, chart.data, { ...chart.layout, autosize: true, font: { ...chart.layout.font, color: ink() } }, CONFIG);
    } catch {
      host.hidden = true;
      const said = document.createElement('p');
      said.className = 'dp-meta';
      said.textContent = words.noCharts;
      tile.querySelector('.dp-tile-body').prepend(said);
    }
  };

  // On paper a chart is as wide as the paper, not as the window.
  const onPaper = width => {
    for (const host of board.querySelectorAll('.dp-chart.js-plotly-plot')) {
      if (width) {
        window.Plotly.relayout(host, { width, autosize: false });
      } else {
        window.Plotly.relayout(host, { width: null, autosize: true });
      }
    }
  };
  window.addEventListener('beforeprint', () => onPaper(640));
  window.addEventListener('afterprint', () => onPaper(0));

  // ── tiles ────────────────────────────────────────────────────────────────────────────────────────────────────────

  const ask = async (url, options) => {
    // A sign-in page instead of an answer: the session is over.
    const answer = await fetch(url, { redirect: 'manual', headers: { Accept: 'application/json' }, ...options });
    if (answer.type === 'opaqueredirect') {
      return { state: 'closed', title: document.title, message: words.signedOut, signIn: true };
    }
    return answer.json();
  };

  const note = (message, label, action) => {
    const said = document.createElement('div');
    said.className = 'dp-note dp-bad';
    said.setAttribute('role', 'alert');
    const paragraph = document.createElement('p');
    paragraph.textContent = message;
    said.append(paragraph);
    if (label) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'dp-button dp-quiet dp-small';
      button.textContent = label;
      button.addEventListener('click', action);
      said.append(button);
    }
    return said;
  };

  /** Show nothing more, and say why. */
  const close = said => {
    closed = true;
    round += 1;
    stopping.abort();
    clearInterval(watching);
    if (window.Plotly) {
      board.querySelectorAll('.dp-chart').forEach(host => window.Plotly.purge(host));
    }
    const box = document.createElement('div');
    box.className = 'dp-empty';
    box.id = 'dp-closed';
    box.setAttribute('role', 'alert');
    const title = document.createElement('h1');
    title.textContent = said.signIn ? words.signIn : said.title;
    const why = document.createElement('p');
    why.textContent = said.message;
    const link = document.createElement('a');
    link.className = 'dp-button';
    link.href = said.signIn ? location.href : words.homeUrl;
    link.textContent = said.signIn ? words.signIn : words.home;
    box.append(title, why, link);
    content.replaceChildren(box);
  };

  const renewed = () => {
    const news = document.getElementById('dp-news');
    if (!news || !news.hidden) {
      return;
    }
    const link = document.createElement('a');
    link.href = location.pathname;
    link.textContent = words.reload;
    news.append(words.news + ' ', link);
    news.hidden = false;
  };

  const told = number => {
    if (number !== undefined && String(number) !== words.number) {
      renewed();
    }
  };

  const load = async (tile, mine) => {
    tile.setAttribute('aria-busy', 'true');
    const head = tile.querySelector('.dp-tile-head');
    const body = tile.querySelector('.dp-tile-body');
    let found;
    try {
      const sent = new URLSearchParams(new FormData(form));
      found = await ask(tile.dataset.url, { method: 'POST', body: sent, signal: stopping.signal });
    } catch {
      if (mine === round && !closed) {
        head.replaceChildren();
        body.replaceChildren(note(words.offline, words.again, () => load(tile, round)));
        draw(tile, null, '', mine);
        tile.removeAttribute('aria-busy');
      }
      return;
    }
    if (mine !== round || closed) {
      return;
    }
    if (found.state === 'closed') {
      close(found);
      return;
    }
    tile.removeAttribute('aria-busy');
    if (found.state === 'stale') {
      head.replaceChildren();
      body.replaceChildren();
      draw(tile, null, '', mine);
      renewed();
      return;
    }
    told(found.number);
    // Written by the server, with everything escaped; the policy lets no script of it run.
    head.innerHTML = found.head;
    body.innerHTML = found.body;
    const again = body.querySelector('[data-again]');
    if (again) {
      again.addEventListener('click', () => load(tile, round));
    }
    const sentence = head.querySelector('.dp-sentence');
    await draw(tile, found.chart, sentence ? sentence.textContent : '', mine);
  };

  const loadAll = () => {
    round += 1;
    const mine = round;
    stopping.abort();
    stopping = new AbortController();
    const waiting = tiles.slice();
    tiles.forEach(tile => tile.setAttribute('aria-busy', 'true'));
    const worker = async () => {
      while (waiting.length && mine === round && !closed) {
        await load(waiting.shift(), mine);
      }
    };
    for (let i = 0; i < AT_ONCE; i += 1) {
      worker();
    }
  };

  // ── the reader ───────────────────────────────────────────────────────────────────────────────────────────────────

  form.addEventListener('submit', event => {
    if (event.submitter && event.submitter.hasAttribute('formaction')) {
      return; // a file
    }
    event.preventDefault();
    loadAll();
  });
  form.addEventListener('change', event => {
    if (event.target instanceof HTMLSelectElement) {
      loadAll();
    }
  });
  form.addEventListener('reset', () => setTimeout(loadAll));

  const look = async () => {
    if (closed || document.hidden) {
      return;
    }
    try {
      const found = await ask(words.state);
      if (found.state === 'closed') {
        close(found);
      } else {
        told(found.number);
      }
    } catch {
      // Away for a moment: the next look tells.
    }
  };
  const watching = setInterval(look, STILL_OPEN_MS);
  document.addEventListener('visibilitychange', look);
  window.addEventListener('pageshow', event => {
    if (event.persisted) {
      look();
    }
  });

  document.querySelectorAll('.dp-scripted').forEach(element => {
    element.hidden = false;
    element.disabled = false;
  });
  loadAll();
})();
