// Parts of a page that are shown anew while somebody looks: data-refresh says where they are, data-every how often (ms).
"use strict";
for (const part of document.querySelectorAll("[data-refresh]")) {
  let asking = false;
  setInterval(async () => {
    if (document.hidden || asking) {
      return;
    }
    asking = true;
    try {
      const answer = await fetch(part.dataset.refresh);
      // A redirect leads to the login: what is there stays, and the next click says so.
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        part.replaceChildren(...page.body.childNodes);
      }
    } catch {
      // The gateway is away for a moment.
    } finally {
      asking = false;
    }
  }, Number(part.dataset.every));
}
