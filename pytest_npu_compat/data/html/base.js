"use strict";
// What all scripts share: the data, and how elements are made. Texts become text nodes, never markup.

const PAGE = { models: new Map(), words: { npu: "NPU", cpu: "CPU", unknown: "unknown" } };
for (const model of JSON.parse(document.getElementById("data").textContent)) {
  PAGE.models.set(model.id, model);
}
document.documentElement.classList.add("scripted");

/** An element with attributes and children; strings become text, null is left out. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

/** Text that may come from a model, isolated from the direction of what surrounds it. */
function foreign(text) {
  return element("bdi", {}, text);
}

/** Says something to screen readers. */
function say(text) {
  document.getElementById("said").textContent = text;
}

/** `Conv conv_9`, number 12 of 191, where it runs. */
function describe(model, index) {
  const operator = model.operators[index];
  const where =
    operator.placement === "npu" ? `NPU, partition ${operator.partition}` : PAGE.words[operator.placement];
  return `${operator.kind} ${operator.name}, ${index + 1} of ${model.operators.length}, ${where}`;
}
