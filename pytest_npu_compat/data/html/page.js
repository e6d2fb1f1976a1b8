"use strict";
// Starts the page. Pictures and charts are drawn when they come near the window, or before printing.

const pictures = new Map();

function start(holder) {
  const model = PAGE.models.get(holder.dataset.model);
  if (holder.dataset.chart) drawCharts(holder, model);
  else if (!pictures.has(model.id)) pictures.set(model.id, new Picture(holder, model));
}

for (const figures of document.querySelectorAll(".figures")) figures.open = false;
startChecks(document.getElementById("checks-table"));

const waiting = new Set(document.querySelectorAll(".network, .chart"));
const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      waiting.delete(target);
      start(target);
    }
  },
  { rootMargin: "600px" },
);
for (const holder of waiting) seen.observe(holder);

// A link to an operator chooses it in the picture; without scripts it leads to the table of operators.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-operator]");
  if (!link) return;
  event.preventDefault();
  const id = link.closest("[data-model]").dataset.model;
  const figure = document.querySelector(`.network[data-model="${id}"]`);
  start(figure);
  const picture = pictures.get(id);
  picture.choose(Number(link.dataset.operator) - 1);
  figure.scrollIntoView({ block: "start" });
  picture.host.focus({ preventScroll: true });
});

// On paper all is shown: the whole networks, and what was folded. Charts stand beside the metrics.
const PAPER = 1000;
const PAPER_CHART = 360;
const charts = [...document.querySelectorAll(".chart")];
let folded = [];
window.addEventListener("beforeprint", () => {
  for (const holder of waiting) start(holder);
  waiting.clear();
  for (const picture of pictures.values()) {
    picture.resize(PAPER);
    picture.fit();
    picture.draw();
  }
  for (const chart of charts) drawCharts(chart, PAGE.models.get(chart.dataset.model), PAPER_CHART);
  folded = [...document.querySelectorAll("details:not([open]):not(.quiet)")];
  for (const details of folded) details.open = true;
});
window.addEventListener("afterprint", () => {
  for (const details of folded) details.open = false;
  for (const picture of pictures.values()) picture.resize();
  for (const chart of charts) drawCharts(chart, PAGE.models.get(chart.dataset.model));
});
