// Copies the secret beside a button. Without scripts the button stays hidden and the text is selected by hand.
"use strict";
for (const button of document.querySelectorAll("button[data-copies]")) {
  const source = document.getElementById(button.dataset.copies);
  const told = document.getElementById(button.dataset.tells);
  button.hidden = false;
  button.addEventListener("click", async () => {
    const selection = window.getSelection();
    selection.selectAllChildren(source);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      // Pages without TLS have no clipboard; what is selected can be copied all the same.
      if (!document.execCommand("copy")) return;
    }
    told.textContent = button.dataset.done;
  });
}
