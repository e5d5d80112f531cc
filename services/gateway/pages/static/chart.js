// Reads a chart along its columns: by the slider below it, which is all a keyboard or a screen reader needs, or by the
// pointer. What it says stands in the chart's table. A column, or several that are dragged over, can be looked at closer:
// that is the same page asked for those days, drawn by the server.
"use strict";
(() => {
  const figureOf = (node) => node.closest("figure.plot");
  const readingOf = (figure) => figure.querySelector(".reading");
  const rowsOf = (figure) => document.getElementById(readingOf(figure).dataset.table).tBodies[0].rows;

  function columnAt(figure, x) {
    const svg = figure.querySelector("svg.chart");
    const place = new DOMPoint(x, 0).matrixTransform(svg.getScreenCTM().inverse()).x;
    const column = Math.floor((place - svg.dataset.left) / svg.dataset.step);
    return Math.max(0, Math.min(rowsOf(figure).length - 1, column));
  }

  function toldOf(figure, column) {
    const table = document.getElementById(readingOf(figure).dataset.table);
    const [label, ...values] = [...rowsOf(figure)[column].cells].map((cell) => cell.textContent.trim());
    const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent.trim());
    // Each name is set apart: one that is read from the right would draw its value in.
    const told = names.map((name, at) => `\u2068${name}\u2069 ${values[at]}`).filter((_, at) => values[at] !== "–");
    // A column without anything says so, rather than nothing.
    return `${label}: ${told.join(" · ") || "–"}`;
  }

  // The columns from one to another, marked in the drawing: attributes only, as the policy wants it.
  function mark(figure, from, to) {
    const svg = figure.querySelector("svg.chart");
    const { left, step } = svg.dataset;
    let band = svg.querySelector(".mark");
    if (band === null) {
      band = document.createElementNS(svg.namespaceURI, "rect");
      band.setAttribute("class", "mark");
      band.setAttribute("y", "0");
      band.setAttribute("height", String(svg.viewBox.baseVal.height));
      svg.append(band);
    }
    band.setAttribute("x", String(Number(left) + Math.min(from, to) * step));
    band.setAttribute("width", String((Math.abs(to - from) + 1) * step));
  }

  function read(figure, column) {
    const slider = figure.querySelector(".reading input");
    const told = toldOf(figure, column);
    slider.value = column;
    slider.setAttribute("aria-valuetext", told);
    figure.querySelector(".read").textContent = told;
    mark(figure, column, column);
  }

  function closer(figure, from, to) {
    const form = document.getElementById(readingOf(figure).dataset.form);
    const rows = rowsOf(figure);
    const fields = { period: "", bucket: "", from: rows[from].dataset.from, to: rows[to].dataset.to };
    for (const [name, value] of Object.entries(fields)) {
      form.elements[name].value = value;
    }
    form.requestSubmit();
  }

  // Again after every change of the page: each figure comes with its slider hidden.
  function offer() {
    for (const reading of document.querySelectorAll("figure.plot .reading[hidden]")) {
      reading.hidden = false;
      read(figureOf(reading), Number(reading.querySelector("input").value));
    }
  }

  document.addEventListener("input", (event) => {
    if (event.target.matches(".reading input")) {
      read(figureOf(event.target), Number(event.target.value));
    }
  });

  document.addEventListener("click", (event) => {
    if (event.target.matches(".reading button")) {
      const figure = figureOf(event.target);
      const column = Number(figure.querySelector(".reading input").value);
      closer(figure, column, column);
    }
  });

  const svgUnder = (event) => (event.target instanceof Element ? event.target.closest("figure.plot svg.chart") : null);
  let dragged = null;
  document.addEventListener("pointermove", (event) => {
    const svg = svgUnder(event);
    if (dragged !== null) {
      dragged.to = columnAt(dragged.figure, event.clientX);
      mark(dragged.figure, dragged.from, dragged.to);
    } else if (svg !== null) {
      read(figureOf(svg), columnAt(figureOf(svg), event.clientX));
    }
  });
  document.addEventListener("pointerdown", (event) => {
    const svg = svgUnder(event);
    if (svg !== null && event.pointerType === "mouse" && figureOf(svg).querySelector(".reading button") !== null) {
      const column = columnAt(figureOf(svg), event.clientX);
      dragged = { figure: figureOf(svg), from: column, to: column };
      event.preventDefault();
    }
  });
  document.addEventListener("pointerup", () => {
    const done = dragged;
    dragged = null;
    if (done !== null && done.from !== done.to) {
      closer(done.figure, Math.min(done.from, done.to), Math.max(done.from, done.to));
    }
  });
  document.addEventListener("pointercancel", () => {
    dragged = null;
  });
  document.addEventListener("htmx:afterSettle", offer);
  offer();
})();
