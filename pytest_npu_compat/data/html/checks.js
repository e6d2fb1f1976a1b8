"use strict";
// The table of checks: filters and sorting. Each check is a tbody, so that its text stays with it.

function startChecks(table) {
  if (!table) return;
  const bodies = [...table.tBodies];
  const chips = [...document.querySelectorAll(".chip")];
  const model = document.getElementById("filter-model");
  const text = document.getElementById("filter-text");
  const texts = new Map(bodies.map((body) => [body, body.textContent.toLowerCase()]));

  function filter() {
    const pressed = new Set(chips.filter((c) => c.ariaPressed === "true").map((c) => c.dataset.status));
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const body of bodies) {
      const fits =
        pressed.has(body.dataset.status) &&
        (!model.value || model.value === body.dataset.model) &&
        words.every((word) => texts.get(body).includes(word));
      body.hidden = !fits;
      shown += fits;
    }
    const all = shown === bodies.length;
    document.getElementById("filtered").textContent = all ? "" : `${shown} of ${bodies.length} checks shown`;
  }

  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.ariaPressed = chip.ariaPressed === "true" ? "false" : "true";
      filter();
    });
  }
  model.addEventListener("change", filter);
  text.addEventListener("input", filter);
  text.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      text.value = "";
      filter();
    }
  });
  startSorting(table, bodies);
  filter(); // a browser keeps what was typed when a page is loaded again
}

function startSorting(table, bodies) {
  const cell = (body, selector) => body.rows[0].querySelector(selector).textContent.trim();
  const order = (body) => Number(body.dataset.order);
  const text = (selector) => (a, b) =>
    cell(a, selector).localeCompare(cell(b, selector), undefined, { numeric: true });
  const compare = {
    status: (a, b) => order(a) - order(b),
    model: text(".model"),
    metric: text(".metric"),
    place: text(".place"),
    value: (a, b) => Number(a.dataset.value ?? -Infinity) - Number(b.dataset.value ?? -Infinity),
  };
  for (const head of table.querySelectorAll("th[data-sort]")) {
    const button = element("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.ariaSort === "ascending";
      for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      head.ariaSort = down ? "descending" : "ascending";
      const by = compare[head.dataset.sort];
      bodies.sort((a, b) => (down ? by(b, a) : by(a, b)) || order(a) - order(b));
      table.append(...bodies);
      say(`Sorted by ${button.textContent}, ${head.ariaSort}`);
    });
  }
}
