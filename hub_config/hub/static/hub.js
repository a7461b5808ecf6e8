// The two things of the hub's pages that need a script: watching a start, and stopping a server. Without it the page of a
// start reloads itself. No request leaves this origin.
"use strict";

(() => {
  const element = (id) => document.getElementById(id);
  const card = document.querySelector("[data-api]");

  const stop = element("stop");
  if (stop && card) {
    const said = element("said");
    stop.addEventListener("click", async () => {
      stop.disabled = true;
      said.textContent = stop.dataset.busy;
      try {
        const answer = await fetch(card.dataset.api, {
          method: "DELETE",
          headers: { "X-XSRFToken": card.dataset.xsrf },
          credentials: "same-origin",
        });
        if (!answer.ok) throw new Error(String(answer.status));
        window.location.assign(card.dataset.home || window.location.href);
      } catch {
        stop.disabled = false;
        said.textContent = stop.dataset.failed;
      }
    });
  }

  const progress = element("progress");
  if (!progress) return;
  const slow = window.setTimeout(() => {
    element("lead").textContent = progress.dataset.slow;
  }, 30000);
  const events = new EventSource(progress.dataset.events);
  let failures = 0;

  events.onmessage = (message) => {
    failures = 0;
    const event = JSON.parse(message.data);
    if (typeof event.progress === "number") element("bar").value = event.progress;
    if (event.message) {
      element("step").textContent = event.message;
      const step = document.createElement("li");
      step.textContent = event.message;
      element("steps").append(step);
    }
    if (event.ready) {
      events.close();
      window.clearTimeout(slow);
      window.location.reload(); // the hub sends us on to the server
    }
    if (event.failed) {
      events.close();
      window.clearTimeout(slow);
      element("bar").hidden = true;
      element("heading").textContent = progress.dataset.failedTitle;
      element("lead").hidden = true;
      element("after").hidden = false;
      if (stop) stop.parentElement.hidden = true;
      element("step").classList.add("dp-note", "dp-bad");
    }
  };

  events.onerror = () => {
    // The browser tries again by itself; when the hub has forgotten the start, the page says what became of it.
    failures += 1;
    element("step").textContent = progress.dataset.lost;
    if (failures > 3 || events.readyState === EventSource.CLOSED) {
      events.close();
      window.setTimeout(() => window.location.reload(), 3000);
    }
  };
})();
