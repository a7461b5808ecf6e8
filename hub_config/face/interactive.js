// The page around an interactive dashboard: shows how far it is, and carries messages between the frame, which has no network,
// and its kernel. What the frame says is taken for a message and nothing else; what may be said is decided by the server.
"use strict";
(() => {
  const root = document.getElementById("dp-interactive");
  if (!root) return;
  const { state, url, csrf } = root.dataset;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const anew = () => location.replace(url);

  const preparing = async () => {
    const progress = document.getElementById("dp-progress");
    for (;;) {
      await wait(900);
      try {
        const answer = await fetch(`${url}/etat`, { cache: "no-store" });
        if (!answer.ok && answer.status < 500) return anew();
        if (!answer.ok) continue;
        const found = await answer.json();
        if (found.state !== "starting" && found.state !== "running") return anew();
        if (progress.textContent !== found.said) progress.textContent = found.said;
      } catch { /* the next round asks again */ }
    }
  };

  const encoded = (data) => {
    if (typeof data === "string") return data;
    const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : null;
    if (!bytes || bytes.length > 40000) return null;
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return { b64: btoa(text) };
  };
  const decoded = (entry) => typeof entry === "string" ? entry : Uint8Array.from(atob(entry.b64), (c) => c.charCodeAt(0)).buffer;

  const open = () => {
    const frame = document.getElementById("dp-frame");
    const news = document.getElementById("dp-news");
    const tell = (words) => { news.textContent = words; news.hidden = !words; };
    const queue = [];
    let sending = false;

    const send = async () => {
      if (sending) return;
      sending = true;
      while (queue.length) {
        const batch = queue.slice(0, 50);
        const body = new URLSearchParams({ csrf, frames: JSON.stringify(batch) });
        try {
          const answer = await fetch(`${url}/messages`, { method: "POST", body });
          if (answer.status === 401 || answer.status === 404) return anew();
          if (answer.status === 429 || answer.status >= 500) { await wait(1000); continue; }
          queue.splice(0, batch.length);
          tell("");
        } catch {
          tell(root.dataset.offline);
          await wait(2000);
        }
      }
      sending = false;
    };

    addEventListener("message", (event) => {
      if (event.source !== frame.contentWindow || typeof event.data !== "object" || event.data === null) return;
      if (event.data.datapilot === "height") {
        const height = Number(event.data.height);
        if (Number.isFinite(height)) frame.style.height = `${Math.min(Math.max(height, 200), 20000)}px`;
      } else if (event.data.datapilot === "send") {
        const entry = encoded(event.data.data);
        if (entry === null || (typeof entry === "string" && entry.length > 40000)) return tell(root.dataset.tooLarge);
        if (queue.length < 400) queue.push(entry);
        send();
      }
    });

    const listen = async () => {
      let after = Number(root.dataset.after);
      for (;;) {
        try {
          const answer = await fetch(`${url}/etat?after=${after}`, { cache: "no-store" });
          if (!answer.ok) {
            if (answer.status < 500 && answer.status !== 429) return anew();
            await wait(2000);
            continue;
          }
          const found = await answer.json();
          if (found.state !== "ready" || found.lost) return anew();
          after = found.next;
          if (!sending) tell("");
          const frames = found.frames.map(decoded);
          if (frames.length) frame.contentWindow.postMessage({ datapilot: "frames", frames }, "*");
        } catch {
          tell(root.dataset.offline);
          await wait(2000);
        }
      }
    };
    listen();
  };

  if (state === "starting" || state === "running") preparing();
  else if (state === "ready") open();
})();
