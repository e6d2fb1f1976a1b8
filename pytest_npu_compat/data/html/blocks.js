"use strict";
// Operators in their lanes: shapes of their own with a caption, or runs of them when many are in view.

/** Far away: one path per placement. Islands are never thinner than a pixel and a half. */
function drawRuns(scene, x, runs) {
  const paths = { npu: "", cpu: "", unknown: "" };
  for (const run of runs) {
    const [top, end] = scene.lanes[run.placement];
    paths[run.placement] += rectangle(
      x(run.start),
      top,
      Math.max(x(run.end) - x(run.start) - 0.5, 1.5),
      end - top,
    );
  }
  scene.blocks
    .selectAll("path.run")
    .data(Object.entries(paths))
    .join("path")
    .attr("class", ([placement]) => `run block ${placement}`)
    .attr("d", ([, path]) => path);
}

function drawBlocks(scene, x, step, indices, chosen) {
  const { model, lanes } = scene;
  const place = (index) => lanes[model.operators[index].placement];
  const gap = step > 10 ? 2 : 1;
  const made = scene.blocks
    .selectAll("g")
    .data(indices, (index) => index)
    .join((enter) => {
      const group = enter
        .append("g")
        .attr("role", "option")
        .attr("id", (i) => `${model.id}-${i}`)
        .attr("aria-setsize", model.operators.length)
        .attr("aria-posinset", (i) => i + 1)
        .attr("aria-label", (i) => describe(model, i));
      group.append("rect").attr("class", (i) => `block ${model.operators[i].placement}`);
      return group;
    });
  made
    .attr("aria-selected", (i) => String(i === chosen))
    .attr("transform", (i) => `translate(${x(i).toFixed(2)} 0)`);
  made
    .select("rect")
    .attr("x", gap / 2)
    .attr("width", Math.max(step - gap, 1.5))
    .attr("rx", step > 10 ? 2 : 0)
    .attr("y", (i) => place(i)[0])
    .attr("height", (i) => place(i)[1] - place(i)[0]);
  made
    .selectAll("text")
    .data((i) => captions(model.operators[i], step, place(i)))
    .join("text")
    .attr("class", (line) => line.css)
    .attr("transform", (line) => line.at)
    .attr("text-anchor", (line) => line.anchor ?? null)
    .text((line) => line.text);
}

/** What fits on a block: upright if it is narrow. */
function captions(operator, step, [top, end]) {
  const lines = [];
  if (step >= 62) {
    const fit = (text) => shorten(text, Math.floor((step - 12) / 5.9));
    lines.push({ css: "kind", at: `translate(7 ${top + 17})`, text: fit(operator.kind) });
    lines.push({ css: "small", at: `translate(7 ${top + 33})`, text: fit(operator.shape) });
    if (step >= 84) lines.push({ css: "small", at: `translate(7 ${top + 48})`, text: fit(operator.name) });
  } else if (step >= 13) {
    const text = shorten(operator.kind, Math.floor((end - top - 14) / LETTER));
    lines.push({
      css: "kind",
      at: `translate(${step / 2 + 4} ${end - (operator.left ? 13 : 5)}) rotate(-90)`,
      text,
    });
  }
  if (operator.hazards)
    lines.push({ css: "alarm", anchor: "middle", at: `translate(${step / 2} ${top + 8})`, text: "!" });
  if (operator.left)
    lines.push({ css: "alarm", anchor: "middle", at: `translate(${step / 2} ${end + 4})`, text: "◆" });
  return lines;
}

function drawChoice(scene, x, step, chosen) {
  const data = chosen === null ? [] : ["chosen-halo", "chosen"];
  const [top, end] = chosen === null ? [0, 0] : scene.lanes[scene.model.operators[chosen].placement];
  scene.choice
    .selectAll("rect")
    .data(data)
    .join("rect")
    .attr("class", (css) => css)
    .attr("x", x(chosen ?? 0) - 1)
    .attr("width", Math.max(step, 3) + 2)
    .attr("y", top - 2)
    .attr("height", end - top + 4)
    .attr("rx", 3);
}
