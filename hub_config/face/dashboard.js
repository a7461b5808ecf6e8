// The page of a dashboard. What was made ahead stands in it already: this draws its charts. What is chosen afterwards (filters,
// a period, a step into a tile) the server computes, tile by tile: this puts what it wrote into its place. It formats nothing,
// keeps nothing, and asks nobody but its own origin.
//
// For whoever waits: a chart's place says data-painted="1" once the library drew it (plotly_afterplot), #dp-board says
// data-painted="1" once every chart of the page is drawn, and data-busy while tiles are computed.
(() => {
  'use strict';
  const AT_ONCE = 3;
  const AT_FIRST = 12;
  const STILL_OPEN_MS = 20000;
  const PAPER_PX = 640;
  const board = document.getElementById('dp-board');
  const form = document.getElementById('dp-filters');
  const content = document.getElementById('content');
  const words = board.dataset;
  const nonce = document.currentScript.nonce;
  const made = JSON.parse(document.getElementById('dp-data').textContent);
  const part = (element, name) => element.querySelector(`.dp-tile-${name}`);
  const tiles = Array.from(board.querySelectorAll('.dp-tile'), element => ({
    element,
    url: element.dataset.url,
    host: element.querySelector('.dp-chart'),
    steps: [],
    // What was made ahead, to come back to without asking anybody; null: nothing was.
    made: 'made' in element.dataset
      ? { head: part(element, 'head').innerHTML, body: part(element, 'body').innerHTML, way: '', ...made[element.dataset.tile] }
      : null,
    now: made[element.dataset.tile] || {},
  }));
  let round = 0;
  let stopping = new AbortController();
  let closed = false;

  // ── charts ───────────────────────────────────────────────────────────────────────────────────────────────────────

  let library = null;
  const plotly = () => {
    library = library || new Promise((done, failed) => {
      if (window.Plotly) {
        done(window.Plotly);
        return;
      }
      if (!words.plotly) {
        failed(new Error('no library'));
        return;
      }
      const listen = script => {
        script.addEventListener('load', () => done(window.Plotly));
        script.addEventListener('error', () => {
          library = null;
          script.remove();
          failed(new Error('not loaded'));
        });
      };
      const coming = document.getElementById('dp-library');
      const here = performance.getEntriesByName(new URL(words.plotly, location.href).href);
      if (coming && !here.length) {
        listen(coming);
        return;
      }
      // Not asked for by the page itself, or it may have failed before this could listen: asked for again, from the cache.
      const script = document.createElement('script');
      script.nonce = nonce;
      script.src = words.plotly;
      listen(script);
      document.head.append(script);
    });
    return library;
  };
  const CONFIG = { displayModeBar: false, displaylogo: false, responsive: true, showTips: false, scrollZoom: false };
  const pause = () => (window.scheduler && window.scheduler.yield ? window.scheduler.yield() : new Promise(go => setTimeout(go)));

  // The charts' words in the page's own colour, whichever theme is on; black on paper.
  const ink = () => getComputedStyle(board).getPropertyValue('--dp-soft').trim();
  const drawnOnes = () => Array.from(board.querySelectorAll('.dp-chart.js-plotly-plot:not([hidden])'));
  const recolour = () => drawnOnes().forEach(host => window.Plotly.relayout(host, { 'font.color': ink() }));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolour);

  const painted = host => {
    host.dataset.painted = '1';
    if (tiles.every(tile => tile.host.hidden || tile.host.dataset.painted === '1')) {
      board.dataset.painted = '1';
    }
  };

  // Room for the axes' labels, measured before a chart is drawn: left to find it by itself, the library draws each chart
  // twice. Labels that are more than plain text, and a page that changes its width, are left to it.
  const LEFT_TO_IT = { 'xaxis.automargin': true, 'yaxis.automargin': true, 'xaxis.tickangle': 'auto' };
  const ruler = document.createElement('canvas').getContext('2d');
  const fitted = (layout, data, host) => {
    const { font, margin } = layout;
    let { xaxis, yaxis } = layout;
    const axes = Object.keys(layout).filter(name => /^[xy]axis/.test(name));
    const plain = axis => axis && axis.ticktext && axis.ticktext.every(text => !/[&<\n]/.test(text));
    if (axes.length !== 2 || !plain(xaxis) || !plain(yaxis) || !font || !margin) {
      return layout;
    }
    ruler.font = `${font.size}px ${font.family}`;
    const wide = text => Math.ceil(ruler.measureText(text).width);
    const widest = texts => Math.max(0, ...texts.map(wide));
    // On a telephone names take less than half: they stand in the table, and on the bar that is touched, in full.
    const most = Math.round(host.clientWidth * 0.45);
    const cut = text => {
      let kept = text;
      while (kept.length > 1 && wide(kept === text ? text : `${kept}…`) > most) {
        kept = kept.slice(0, -1);
      }
      return kept === text ? text : `${kept.trimEnd()}…`;
    };
    yaxis = { ...yaxis, automargin: false, ticktext: yaxis.ticktext.map(cut) };
    const left = margin.l + widest(yaxis.ticktext) + 6;
    const across = host.clientWidth - left - margin.r;
    const names = widest(xaxis.ticktext);
    const crowd = (names + 6) * (xaxis.ticktext.length - 1) / Math.max(1, across);
    const level = data.length > 0 && data[0].orientation === 'h';
    const turned = crowd > 1 && !level;
    xaxis = { ...xaxis, automargin: false, tickangle: turned ? -30 : 0 };
    if (level && crowd > 1) {
      const step = Math.ceil(crowd);
      xaxis.tickvals = xaxis.tickvals.filter((_, place) => place % step === 0);
      xaxis.ticktext = xaxis.ticktext.filter((_, place) => place % step === 0);
    }
    const figures = level && Array.isArray(data[0].text) ? widest(data[0].text.map(String)) : 0;
    const line = Math.ceil(font.size * 1.3);
    const room = {
      ...margin,
      l: turned ? Math.max(left, Math.ceil(names * 0.87)) : left,
      r: Math.max(margin.r, turned ? 0 : Math.ceil(names / 2) + 4, figures * 1.5 > across ? figures + 8 : 0),
      b: margin.b + 6 + (turned ? Math.ceil(names * 0.5) + line : line),
    };
    return { ...layout, margin: room, xaxis, yaxis };
  };
  let width = innerWidth;
  addEventListener('resize', () => {
    if (innerWidth !== width) {
      width = innerWidth;
      drawnOnes().forEach(host => host.layout.xaxis && window.Plotly.relayout(host, LEFT_TO_IT));
    }
  });

  const draw = async (tile, Plotly) => {
    const { host } = tile;
    const { chart } = tile.now;
    const sentence = tile.element.querySelector('.dp-sentence');
    const first = !host.classList.contains('js-plotly-plot');
    host.hidden = false;
    delete host.dataset.painted;
    host.style.minHeight = `${chart.layout.height || 340}px`;
    if (first) {
      host.replaceChildren();
    }
    host.setAttribute('role', 'img');
    host.setAttribute('aria-label', sentence ? sentence.textContent : '');
    const named = { ...chart.layout, autosize: true, font: { ...chart.layout.font, color: ink() } };
    const layout = fitted(named, chart.data, host);
    const drawing = (first ? Plotly.newPlot : Plotly.react)(host, chart.data, layout, CONFIG);
    if (first) {
      host.on('plotly_afterplot', () => painted(host));
      host.on('plotly_click', event => {
        const point = event.points[0];
        const index = Array.isArray(point.pointNumbers) ? point.pointNumbers[0] : point.pointNumber;
        const row = ((tile.now.points || [])[point.curveNumber] || [])[index];
        if (row !== undefined && row >= 0) {
          openRow(tile, row);
        }
      });
    }
    host.classList.toggle('dp-opens', Boolean((tile.now.points || []).length));
    await drawing;
    painted(host);
  };

  const noChart = tile => {
    if (tile.host.classList.contains('js-plotly-plot')) {
      window.Plotly.purge(tile.host);
      tile.host.classList.remove('js-plotly-plot');
    }
    tile.host.replaceChildren();
    tile.host.style.minHeight = '';
    tile.host.hidden = true;
  };

  const show = async (tile, mine) => {
    if (!tile.now.chart) {
      noChart(tile);
      return;
    }
    try {
      const Plotly = await plotly();
      if (mine === round && !closed) {
        await draw(tile, Plotly);
      }
    } catch {
      noChart(tile);
      const said = document.createElement('p');
      said.className = 'dp-meta';
      said.textContent = words.noCharts;
      part(tile.element, 'body').prepend(said);
    }
  };

  // What is in sight first; of a long page the rest when it comes near, and all of it before it is printed.
  const later = new Set();
  const near = new IntersectionObserver(seen => {
    for (const one of seen.filter(entry => entry.isIntersecting)) {
      near.unobserve(one.target);
      const tile = tiles.find(other => other.host === one.target);
      if (later.delete(tile)) {
        show(tile, round);
      }
    }
  }, { rootMargin: '600px' });
  const drawAll = async () => {
    const waiting = tiles.filter(tile => tile.made && tile.now.chart);
    const inSight = tile => {
      const { top, bottom } = tile.host.getBoundingClientRect();
      return bottom > 0 && top < innerHeight ? 0 : 1;
    };
    waiting.sort((a, b) => inSight(a) - inSight(b));
    for (const tile of waiting.slice(AT_FIRST)) {
      later.add(tile);
      near.observe(tile.host);
    }
    for (const tile of waiting.slice(0, AT_FIRST)) {
      if (!tile.host.dataset.painted) {
        await show(tile, round);
        await pause();
      }
    }
    if (!waiting.length) {
      board.dataset.painted = '1';
    }
  };

  // On paper a chart is as wide as the paper, not as the window, and black on white.
  window.addEventListener('beforeprint', () => {
    for (const tile of later) {
      show(tile, round);
    }
    later.clear();
    for (const host of drawnOnes()) {
      window.Plotly.relayout(host, { width: PAPER_PX, autosize: false, 'font.color': '#333333', ...(host.layout.xaxis ? LEFT_TO_IT : {}) });
    }
  });
  window.addEventListener('afterprint', () => {
    for (const host of drawnOnes()) {
      window.Plotly.relayout(host, { width: null, autosize: true, 'font.color': ink() });
    }
  });

  // ── small things to build ────────────────────────────────────────────────────────────────────────────────────────

  const build = (name, className, text) => {
    const element = document.createElement(name);
    element.className = className;
    element.textContent = text;
    return element;
  };
  const button = (text, action, className = 'dp-button dp-quiet dp-small') => {
    const element = build('button', className, text);
    element.type = 'button';
    element.addEventListener('click', action);
    return element;
  };
  const note = (message, label, action) => {
    const said = build('div', 'dp-note dp-bad', '');
    said.setAttribute('role', 'alert');
    said.append(build('p', '', message));
    if (label) {
      said.append(button(label, action));
    }
    return said;
  };

  // ── tiles ────────────────────────────────────────────────────────────────────────────────────────────────────────

  const ask = async (url, options) => {
    // A sign-in page instead of an answer: the session is over.
    const answer = await fetch(url, { redirect: 'manual', headers: { Accept: 'application/json' }, ...options });
    if (answer.type === 'opaqueredirect') {
      return { state: 'closed', title: document.title, message: words.signedOut, signIn: true };
    }
    return answer.json();
  };

  /** Show nothing more, and say why. */
  const close = said => {
    closed = true;
    round += 1;
    stopping.abort();
    clearInterval(watching);
    tiles.forEach(noChart);
    tiles.length = 0;
    const box = build('div', 'dp-empty', '');
    box.id = 'dp-closed';
    box.setAttribute('role', 'alert');
    const link = build('a', 'dp-button', said.signIn ? words.signIn : words.home);
    link.href = said.signIn ? location.href : words.homeUrl;
    box.append(build('h1', '', said.signIn ? words.signIn : said.title), build('p', '', said.message), link);
    for (const name of Object.keys(made)) {
      delete made[name];
    }
    content.replaceChildren(box);
  };

  const renewed = message => {
    const news = document.getElementById('dp-news');
    if (!news || !news.hidden) {
      return;
    }
    const link = document.createElement('a');
    link.href = location.pathname;
    link.textContent = words.reload;
    news.append(`${message} `, link);
    news.hidden = false;
  };
  const told = found => {
    if (found.number !== undefined && String(found.number) !== words.number) {
      renewed(words.news);
    } else if (found.made && words.made && found.made !== words.made) {
      renewed(words.fresh);
    }
  };

  const fields = tile => {
    const sent = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (value !== '') {
        sent.append(name, value);
      }
    }
    if (tile.steps.length) {
      sent.set('pas', JSON.stringify(tile.steps));
    }
    return sent;
  };
  const chosen = () => Array.from(form.elements).some(field => field.name.startsWith('filter:') && field.value.trim());

  /** Make what the server wrote answer to clicks. */
  const wire = tile => {
    const { element } = tile;
    const again = element.querySelector('[data-again]');
    if (again) {
      again.addEventListener('click', () => load(tile, round));
    }
    for (const row of part(element, 'body').querySelectorAll('tr[data-row]')) {
      const cell = row.firstElementChild;
      const open = button(cell.textContent, () => openRow(tile, Number(row.dataset.row)), 'dp-link');
      open.setAttribute('aria-label', words.open.replace('{name}', cell.textContent));
      cell.replaceChildren(open);
    }
    for (const open of part(element, 'head').querySelectorAll('button[data-row]')) {
      open.hidden = false;
      open.addEventListener('click', () => openRow(tile, Number(open.dataset.row)));
    }
    for (const back of part(element, 'way').querySelectorAll('button[data-depth]')) {
      back.addEventListener('click', () => {
        tile.steps = tile.steps.slice(0, Number(back.dataset.depth));
        refresh(tile);
      });
    }
  };

  /** Put pieces into a tile; written by the server, with everything escaped, and the policy lets no script of it run. */
  const put = async (tile, found, mine) => {
    tile.now = found;
    const open = tile.element.querySelector('.dp-levels');
    if (open) {
      open.remove();
    }
    part(tile.element, 'head').innerHTML = found.head || '';
    part(tile.element, 'body').innerHTML = found.body || '';
    part(tile.element, 'way').innerHTML = found.way || '';
    wire(tile);
    await show(tile, mine);
  };

  const load = async (tile, mine) => {
    const { element } = tile;
    // As high as it was: what stands below does not move while this is computed, nor after.
    element.style.minHeight = `${Math.max(element.offsetHeight, parseInt(element.style.minHeight, 10) || 0)}px`;
    element.setAttribute('aria-busy', 'true');
    let found;
    try {
      found = await ask(tile.url, { method: 'POST', body: fields(tile), signal: stopping.signal });
    } catch {
      if (mine === round && !closed) {
        element.removeAttribute('aria-busy');
        await put(tile, {}, mine);
        part(element, 'body').replaceChildren(note(words.offline, words.again, () => load(tile, round)));
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
    element.removeAttribute('aria-busy');
    if (found.state === 'stale') {
      await put(tile, {}, mine);
      renewed(words.news);
      return;
    }
    told(found);
    await put(tile, found, mine);
  };

  /** One tile as it is chosen now: from what was made ahead where nothing is chosen. */
  const refresh = async (tile, mine = round) => {
    if (tile.made && !tile.steps.length && !chosen()) {
      tile.element.removeAttribute('aria-busy');
      await put(tile, tile.made, mine);
    } else {
      await load(tile, mine);
    }
  };

  const refreshAll = async () => {
    round += 1;
    const mine = round;
    stopping.abort();
    stopping = new AbortController();
    const waiting = tiles.slice();
    later.clear();
    board.dataset.busy = '1';
    waiting.forEach(tile => tile.element.setAttribute('aria-busy', 'true'));
    const worker = async () => {
      while (waiting.length && mine === round && !closed) {
        await refresh(waiting.shift(), mine);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    if (mine === round) {
      delete board.dataset.busy;
    }
  };

  // ── a step into a tile ───────────────────────────────────────────────────────────────────────────────────────────

  const openRow = async (tile, row) => {
    const at = (tile.now.rows || [])[row];
    if (!at || closed) {
      return;
    }
    const top = part(tile.element, 'top');
    const sent = fields(tile);
    sent.set('ouvrir', JSON.stringify(at));
    let found;
    try {
      found = await ask(tile.url, { method: 'POST', body: sent });
    } catch {
      return;
    }
    if (found.state === 'closed') {
      close(found);
      return;
    }
    const old = top.querySelector('.dp-levels');
    if (old) {
      old.remove();
    }
    const box = build('div', 'dp-levels', '');
    box.setAttribute('role', 'group');
    const said = found.state === 'levels' ? [found.said, found.levels.length ? words.by : words.noLevels].filter(Boolean).join(' · ') : found.message;
    box.setAttribute('aria-label', said || '');
    box.append(build('span', 'dp-levels-said', said || ''));
    for (const level of found.levels || []) {
      box.append(button(level.label, () => {
        tile.steps = [...tile.steps, { at, by: level.key }];
        box.remove();
        load(tile, round);
      }));
    }
    box.append(button(words.close, () => box.remove(), 'dp-link'));
    top.append(box);
    box.querySelector('button').focus({ preventScroll: true });
  };

  // ── the reader ───────────────────────────────────────────────────────────────────────────────────────────────────

  const steps = document.createElement('input');
  steps.type = 'hidden';
  steps.name = 'pas';
  form.addEventListener('submit', event => {
    if (event.submitter && event.submitter.hasAttribute('formaction')) {
      // A file: of what this tile shows now.
      const tile = tiles.find(one => one.element.contains(event.submitter));
      steps.value = tile && tile.steps.length ? JSON.stringify(tile.steps) : '';
      form.append(steps);
      setTimeout(() => steps.remove());
      return;
    }
    event.preventDefault();
    refreshAll();
  });
  const days = select => {
    const box = select.parentElement.querySelector('.dp-days');
    if (box) {
      box.hidden = select.value !== 'jours';
    }
  };
  form.querySelectorAll('select').forEach(days);
  form.addEventListener('change', event => {
    if (event.target instanceof HTMLSelectElement) {
      days(event.target);
      if (event.target.value !== 'jours') {
        refreshAll();
      }
    }
  });
  form.addEventListener('reset', () => setTimeout(() => {
    form.querySelectorAll('select').forEach(days);
    refreshAll();
  }));

  const look = async () => {
    if (closed || document.hidden) {
      return;
    }
    try {
      const found = await ask(words.state);
      if (found.state === 'closed') {
        close(found);
      } else {
        told(found);
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
  tiles.forEach(wire);
  if (tiles.some(tile => !tile.made)) {
    refreshAll();
  } else {
    drawAll();
  }
})();
