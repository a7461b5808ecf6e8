// The pages of a layer. Enter in the question tries it, and does not save the form; in the YAML a finding's link puts the cursor
// on its line. Without this script the buttons do what they say, and the link leads to the text.
"use strict";

(() => {
  const attempt = document.querySelector('button[name="action"][value="try"]');
  const fields = document.querySelector(".dp-trial");
  if (attempt && fields) {
    fields.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing || !(event.target instanceof HTMLInputElement)) return;
      event.preventDefault();
      attempt.click();
    });
  }

  const text = document.getElementById("texte");
  if (!(text instanceof HTMLTextAreaElement)) return;

  const goTo = (number) => {
    const lines = text.value.split("\n");
    if (!(number >= 1 && number <= lines.length)) return;
    const start = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
    text.focus({ preventScroll: true });
    text.setSelectionRange(start, start + lines[number - 1].length);
    text.scrollTop = ((number - 3) * text.scrollHeight) / lines.length;
    text.scrollIntoView({ block: "center" });
  };

  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-line]") : null;
    if (!link) return;
    event.preventDefault(); // the address would load the kept text over what was typed
    goTo(Number(link.dataset.line));
  });
  if (text.dataset.at) goTo(Number(text.dataset.at));
})();
