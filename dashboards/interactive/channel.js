// The page's only way out: messages to the page around it, which holds the session. There is no network in this frame; what
// Voilà's script takes for a kernel's websocket is this. Nothing here is a wall: the walls are the frame's policy and the API.
(() => {
  "use strict";
  const around = window.parent;
  const say = (message) => around.postMessage(message, "*");
  const open = new Set();
  class Channel extends EventTarget {
    constructor(url) {
      super();
      this.url = String(url);
      this.protocol = "";
      this.extensions = "";
      this.binaryType = "arraybuffer";
      this.bufferedAmount = 0;
      this.readyState = 0;
      this.onopen = this.onmessage = this.onclose = this.onerror = null;
      open.add(this);
      setTimeout(() => {
        if (this.readyState !== 0) return;
        this.readyState = 1;
        if (this.onopen) this.onopen(new Event("open"));
      }, 0);
    }
    send(data) { say({ datapilot: "send", data }); }
    close() { this.readyState = 3; open.delete(this); }
  }
  Object.assign(Channel, { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });
  window.WebSocket = Channel;
  window.addEventListener("message", (event) => {
    if (event.source !== around || !event.data || event.data.datapilot !== "frames") return;
    for (const data of event.data.frames) {
      for (const channel of open) if (channel.onmessage) channel.onmessage(new MessageEvent("message", { data }));
    }
  });
  // What Voilà's script asks of a server: whether its kernel is there, and its words in other languages. There is none to ask.
  const config = () => JSON.parse(document.getElementById("jupyter-config-data").textContent);
  const json = (value, status) =>
    new Response(JSON.stringify(value), { status, headers: { "Content-Type": "application/json" } });
  window.fetch = async (asked) => {
    const path = new URL(typeof asked === "string" || asked instanceof URL ? asked : asked.url, "http://nowhere/").pathname;
    const id = config().kernelId;
    if (path.endsWith(`/api/kernels/${id}`)) {
      return json({ id, name: "python3", connections: 1, execution_state: "idle", last_activity: new Date().toISOString() }, 200);
    }
    if (path.includes("/api/translations")) return json({ data: {}, message: "" }, 200);
    return json({ message: "" }, 404);
  };
  navigator.sendBeacon = () => true;
  // A frame without an origin has no storage and no cookies; asking for them is an error that scripts do not expect.
  const storage = () => {
    const kept = new Map();
    return {
      getItem: (key) => (kept.has(key) ? kept.get(key) : null), setItem: (key, value) => void kept.set(key, String(value)),
      removeItem: (key) => void kept.delete(key), clear: () => kept.clear(), key: (at) => [...kept.keys()][at] ?? null,
      get length() { return kept.size; },
    };
  };
  for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, { value: storage() });
  Object.defineProperty(document, "cookie", { get: () => "", set: () => {} });
  const measure = () => {
    const cells = document.getElementById("rendered_cells");
    if (cells) say({ datapilot: "height", height: Math.ceil(cells.getBoundingClientRect().bottom + window.scrollY) + 8 });
  };
  addEventListener("DOMContentLoaded", () => {
    new ResizeObserver(measure).observe(document.getElementById("rendered_cells"));
    say({ datapilot: "ready" });
  });
  addEventListener("load", measure);
})();
