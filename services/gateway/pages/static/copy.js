// Copies the text that a button names. Without scripts the buttons stay hidden and the text is selected by hand.
"use strict";

// Called again by whoever puts new buttons into the page.
function offerCopies() {
  for (const button of document.querySelectorAll("button[data-copies]")) {
    button.hidden = false;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copies]");
  if (button === null) {
    return;
  }
  const source = document.getElementById(button.dataset.copies);
  window.getSelection().selectAllChildren(source);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Pages without TLS have no clipboard elsewhere than on this machine; what is selected can be copied all the same.
    if (!document.execCommand("copy")) {
      return;
    }
  }
  const told = button.dataset.tells ? document.getElementById(button.dataset.tells) : button;
  told.textContent = button.dataset.done;
});
offerCopies();
