// What htmx is told by listening: it evaluates nothing, so conditions cannot stand in its attributes.
// Without scripts all of this are plain forms and links to the same addresses.
"use strict";
(() => {
  const pathOf = (address) => new URL(address, location.href).pathname;
  const isLive = (element) => element.matches("[data-live]");
  const STEPS = "a[href], button, input, select, textarea, summary, [tabindex]";
  const stepsOf = (part) => [...part.querySelectorAll(STEPS)].filter((each) => each.checkVisibility());
  const addressOf = (each) => [each.tagName, each.getAttribute("href") || each.name || each.textContent.trim()].join(" ");

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

  // Where the keyboard is while a part comes anew, and which step of that part it is: what is focused goes with the part,
  // and whoever reads by keyboard would begin at the top of the page again, with each look of what is live.
  let held = null;
  document.addEventListener("htmx:beforeSwap", () => {
    const focused = document.activeElement;
    const parts = [];
    for (let part = focused.parentElement?.closest("[id]"); part; part = part.parentElement?.closest("[id]")) {
      parts.push({ id: part.id, at: stepsOf(part).indexOf(focused) });
    }
    held = { focused, parts, address: addressOf(focused) };
  });

  // The same step again, or the one that stands in its place; of a part that has none any more, of what it stood in.
  function holdOn() {
    if (held === null || held.focused.isConnected || document.activeElement !== document.body) {
      return;
    }
    for (const { id, at } of held.parts) {
      const steps = stepsOf(document.getElementById(id) || document.createElement("p"));
      if (steps.length > 0) {
        const same = steps.filter((each) => addressOf(each) === held.address);
        const instead = steps.at(Math.min(at, steps.length - 1));
        (same.length === 0 || same.includes(instead) ? instead : same[0]).focus({ preventScroll: true });
        return;
      }
    }
  }

  // What an answer to a question shows is said to whoever does not see it; it has to be there before it says anything.
  const told = document.createElement("p");
  told.className = "unseen";
  told.setAttribute("role", "status");
  document.addEventListener("DOMContentLoaded", () => document.body.append(told));

  document.addEventListener("htmx:afterSettle", (event) => {
    // After whatever else waits for the part: a chart shows its slider then.
    queueMicrotask(holdOn);
    if (!isLive(event.detail.requestConfig.elt)) {
      told.textContent = document.querySelector("[data-told]")?.dataset.told || "";
    }
  });

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
