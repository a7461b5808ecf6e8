// « Connectez vos données »: what lies beside the pages' forms. Every page works without it.
//
// [data-state]  something goes on beside the page: asked how far it is, and the page is read again once it has ended.
// form[data-busy]  a form that takes a moment says so when it is sent, and is not sent twice.
// form[data-limit]  files that are too much together are not sent at all.
(function () {
  "use strict";

  const waiting = document.querySelector("[data-state]");
  if (waiting) {
    let failures = 0;
    const look = async () => {
      try {
        const answer = await fetch(waiting.dataset.state, { headers: { Accept: "application/json" }, cache: "no-store" });
        if (!answer.ok || answer.redirected) {
          location.reload();
          return;
        }
        const said = await answer.json();
        if (said.ended) {
          location.reload();
          return;
        }
        failures = 0;
        if (said.message && waiting.textContent !== said.message) {
          waiting.textContent = said.message;
        }
        const bar = document.querySelector("progress");
        if (bar && said.share) {
          bar.value = said.share;
        }
      } catch {
        failures += 1;
      }
      setTimeout(look, Math.min(1000 * 2 ** failures, 15000));
    };
    setTimeout(look, 700);
  }

  const forms = document.querySelectorAll("form[data-busy]");
  for (const form of forms) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) {
        event.preventDefault();
        return;
      }
      const files = form.querySelector("input[type=file]");
      const said = form.querySelector("[data-said]");
      if (files && form.dataset.limit) {
        const size = Array.from(files.files).reduce((sum, file) => sum + file.size, 0);
        if (size > Number(form.dataset.limit)) {
          event.preventDefault();
          said.textContent = form.dataset.tooLarge;
          said.hidden = false;
          return;
        }
      }
      form.dataset.sent = "1";
      const button = event.submitter;
      if (button) {
        // After this event: a disabled button's own value would not be sent.
        setTimeout(() => {
          button.dataset.words = button.textContent;
          button.textContent = form.dataset.busy;
          button.setAttribute("aria-disabled", "true");
        }, 0);
      }
    });
  }
  // Back from where the form led, out of the browser's memory: it may be sent again.
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) {
      return;
    }
    for (const form of forms) {
      delete form.dataset.sent;
      for (const button of form.querySelectorAll("button[data-words]")) {
        button.textContent = button.dataset.words;
        button.removeAttribute("aria-disabled");
      }
    }
  });
})();
