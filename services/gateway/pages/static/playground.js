// Shows answers as they are made. Without it the form is sent as any form, and whole answers come back.
"use strict";
(() => {
  const form = document.getElementById("playground");
  const stop = document.getElementById("stop");
  const answers = document.getElementById("answers");
  const title = document.getElementById("answers-title");
  const hints = new Map();
  for (const name of document.getElementById("hints").content.querySelectorAll("dt")) {
    hints.set(name.textContent, name.nextElementSibling.textContent);
  }
  // How often the books are asked for an answer that was stopped, and how long they are given, in ms.
  const LOOKS = 10;
  const PAUSE = 300;
  let running = null;

  const copyOf = (name) => document.getElementById(name).content.firstElementChild.cloneNode(true);

  function fieldsOf(model) {
    const fields = new FormData(form);
    if (model !== undefined) {
      fields.set("model", model);
    }
    return new URLSearchParams(fields);
  }

  function refuse(card, error) {
    const note = copyOf("refused");
    note.querySelector(".code").textContent = error.param ? `${error.code} · ${error.param}` : error.code;
    note.querySelector(".message").textContent = error.message;
    note.querySelector(".hint-text").textContent = hints.get(error.code) || hints.get("other");
    card.append(note);
  }

  function add(card, delta) {
    if (delta.reasoning_content) {
      const thoughts = card.querySelector(".reasoning");
      thoughts.hidden = false;
      thoughts.querySelector("pre").append(delta.reasoning_content);
    }
    if (delta.content) {
      card.querySelector(".said").append(delta.content);
    }
    for (const call of delta.tool_calls || []) {
      const tools = card.querySelector(".tools");
      // Each call stands by itself, as in a whole answer: pieces of several may come in turn.
      while (tools.children.length <= call.index) {
        tools.append(copyOf("call"));
      }
      const shown = tools.children[call.index];
      shown.querySelector(".code").append(call.function.name || "");
      shown.querySelector("pre").append(call.function.arguments || "");
    }
  }

  // One event of the stream: lines up to an empty one.
  function take(card, event) {
    const lines = event.split("\n");
    const name = lines.find((line) => line.startsWith("event: "));
    const data = lines.find((line) => line.startsWith("data: "));
    if (data === undefined || data === "data: [DONE]") {
      return;
    }
    const told = JSON.parse(data.slice(6));
    if (name === "event: error") {
      refuse(card, told.error);
      return;
    }
    for (const choice of told.choices) {
      add(card, choice.delta);
    }
  }

  async function read(card, body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const events = (rest + part.value).split("\n\n");
      rest = events.pop();
      events.forEach((event) => take(card, event));
    }
  }

  async function figures(card, id) {
    for (let look = 0; look < LOOKS; look += 1) {
      // Without a connection there is no answer: it may be back at the next look.
      const found = await fetch(`${form.dataset.figures}?id=${encodeURIComponent(id)}`).catch(() => null);
      if (found !== null && found.ok) {
        const page = new DOMParser().parseFromString(await found.text(), "text/html");
        card.append(...page.body.children);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  async function ask(model, signal) {
    const card = copyOf("told");
    card.querySelector("h3").textContent = model;
    answers.append(card);
    let id = null;
    try {
      const answer = await fetch(form.dataset.stream, { method: "POST", body: fieldsOf(model), signal });
      const type = answer.headers.get("content-type") || "";
      if (type.startsWith("text/event-stream")) {
        id = answer.headers.get("x-request-id");
        await read(card, answer.body);
      } else if (type.startsWith("application/json")) {
        refuse(card, (await answer.json()).error);
      } else {
        // A page: a field that cannot be read, or a login that has ended. The form itself leads there.
        form.submit();
      }
    } catch (error) {
      if (!signal.aborted) {
        refuse(card, { code: "connection_lost", message: String(error) });
      }
    }
    card.querySelector(".waiting").remove();
    if (id !== null) {
      await figures(card, id);
    }
  }

  async function showCode() {
    const fields = fieldsOf();
    fields.set("act", "code");
    const answer = await fetch(form.action, { method: "POST", body: fields });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.getElementById("code").replaceWith(page.getElementById("code"));
      offerCopies();
    }
  }

  form.addEventListener("submit", async (event) => {
    const asksCode = event.submitter && event.submitter.name === "act";
    if (asksCode || !form.elements.stream.checked) {
      return;
    }
    event.preventDefault();
    if (running !== null) {
      return;
    }
    running = new AbortController();
    answers.replaceChildren();
    answers.setAttribute("aria-busy", "true");
    title.hidden = false;
    stop.hidden = false;
    const models = [...form.querySelectorAll("select[name=model]")].map((each) => each.value).filter(Boolean);
    // Whatever is lost on the way, the form can be sent again.
    await Promise.allSettled([showCode(), ...models.map((model) => ask(model, running.signal))]);
    // Whoever stopped it by keyboard would be at the top of the page, now that the button goes.
    if (document.activeElement === stop) {
      form.querySelector("button[type=submit]").focus();
    }
    stop.hidden = true;
    answers.setAttribute("aria-busy", "false");
    running = null;
  });

  stop.addEventListener("click", () => running && running.abort());
})();
