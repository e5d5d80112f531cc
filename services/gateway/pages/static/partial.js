// What htmx is told by listening: it evaluates nothing, so conditions cannot stand in its attributes.
// Without scripts all of this are plain forms and links to the same addresses.
"use strict";
(() => {
  const pathOf = (address) => new URL(address, location.href).pathname;
  const isLive = (element) => element.matches("[data-live]");

  // Own dates and the list of periods say one thing: whichever is chosen last counts, and the other says so.
  document.addEventListener("change", (event) => {
    const fields = event.target.matches("form.filters *") ? event.target.form.elements : {};
    const dates = [fields.from, fields.to];
    if (!fields.period || !dates.every(Boolean) || !event.target.value) {
      return;
    }
    if (event.target === fields.period) {
      dates.forEach((date) => {
        date.value = "";
      });
    } else if (dates.includes(event.target)) {
      fields.period.value = "";
    }
  });

  // Nobody looks: nothing is asked.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && isLive(event.detail.elt)) {
      event.preventDefault();
      return;
    }
    event.detail.target.setAttribute("aria-busy", "true");
  });

  document.addEventListener("htmx:afterRequest", (event) => event.detail.target.removeAttribute("aria-busy"));

  // A refused question is shown as the page that explains it. Anything else without the part that was asked for
  // (a login that ended, an error) is gone to, or, where nobody asked, left alone: the next click says so.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, target, elt, pathInfo } = event.detail;
    const isPart = pathOf(xhr.responseURL) === pathOf(pathInfo.requestPath) && xhr.responseText.includes(`id="${target.id}"`);
    event.detail.isError = false;
    event.detail.shouldSwap = isPart;
    if (!isPart && !isLive(elt)) {
      location.assign(pathInfo.finalRequestPath);
    }
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      document.querySelectorAll("[data-live]").forEach((part) => htmx.trigger(part, "look"));
    }
  });
})();
