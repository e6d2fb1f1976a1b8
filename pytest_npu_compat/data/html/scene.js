"use strict";
// Draws the part of a network that is in view: lanes for the NPU and the CPU, operators from left to right
// in order of execution. Nothing here remembers anything; `picture.js` says what is in view and chosen.

const LANES = {
  gutter: 52,
  right: 16,
  work: [16, 56],
  label: 72,
  npu: [78, 162],
  arrows: [171, 207],
  cpu: [216, 300],
};
/** From this many pixels per operator on, each is a shape of its own; below, runs of them are. */
const SINGLE = 4;
const LETTER = 6.4;

/** The layers of an empty picture. */
function makeScene(host, model) {
  const scene = { model, runs: runsOf(model.operators), most: d3.max(model.operators, (o) => o.macs) };
  const pieces = d3.rollup(
    scene.runs,
    (runs) => runs.length,
    (run) => run.partition,
  );
  // Partitions whose operators do not stand side by side: a line joins their pieces.
  scene.split = model.partitions.filter((p) => p.first !== null && pieces.get(p.id) > 1);
  const unknown = model.operators.some((operator) => operator.placement === "unknown");
  // What the tallest bar stands for must not lie under the first one.
  scene.limit = scene.most ? `≤ ${d3.format(".3~s")(scene.most)}` : "";
  const gutter = Math.max(LANES.gutter, Math.ceil(8 + scene.limit.length * LETTER + 8));
  scene.lanes = { ...LANES, gutter, unknown: unknown ? [312, 396] : [300, 300] };
  scene.bottom = scene.lanes.unknown[1];
  scene.height = scene.bottom + 28;
  const svg = d3.select(host).append("svg").attr("role", "none");
  scene.svg = svg;
  scene.clip = svg.append("clipPath").attr("id", `${model.id}-clip`).append("rect");
  scene.bands = svg.append("g");
  scene.plane = svg.append("rect").attr("class", "plane");
  const inside = svg.append("g").attr("clip-path", `url(#${model.id}-clip)`);
  for (const name of ["work", "containers", "transfers", "blocks", "choice"]) {
    scene[name] = inside.append("g");
  }
  scene.axis = svg.append("g").attr("class", "axis").attr("aria-hidden", "true");
  return scene;
}

/** Consecutive operators with the same place. */
function runsOf(operators) {
  const runs = [];
  operators.forEach((operator, index) => {
    const last = runs.at(-1);
    if (last && last.placement === operator.placement && last.partition === operator.partition)
      last.end = index + 1;
    else
      runs.push({
        start: index,
        end: index + 1,
        placement: operator.placement,
        partition: operator.partition,
      });
  });
  return runs;
}

/** Sizes everything that does not move. */
function sizeScene(scene, width) {
  const { lanes } = scene;
  scene.width = width;
  scene.svg.attr("viewBox", `0 0 ${width} ${scene.height}`).attr("height", scene.height);
  const plot = { x: lanes.gutter, y: 0, width: width - lanes.gutter - lanes.right, height: scene.bottom + 4 };
  for (const [name, value] of Object.entries(plot)) {
    scene.clip.attr(name, value);
    scene.plane.attr(name, value);
  }
  const bands = [
    ["NPU", lanes.npu],
    ["CPU", lanes.cpu],
    ["?", lanes.unknown],
  ].filter(([, [top, end]]) => end > top);
  scene.bands
    .selectAll("rect")
    .data(bands)
    .join("rect")
    .attr("class", "band")
    .attr("x", lanes.gutter)
    .attr("width", plot.width)
    .attr("y", ([, [top]]) => top - 4)
    .attr("height", ([, [top, end]]) => end - top + 8);
  const words = [...bands, ["MACs", lanes.work]];
  scene.bands
    .selectAll(".lane")
    .data(words)
    .join("text")
    .attr("class", "lane")
    .attr("x", 8)
    .attr("y", ([, [top, end]]) => (top + end) / 2 + 4)
    .text(([word]) => word);
  scene.scale ??= scene.bands
    .append("text")
    .attr("class", "scale")
    .attr("x", 8)
    .attr("y", lanes.work[1] + 2);
  scene.scale.text(scene.limit);
}

/** Draws what is in view. `x` maps an operator's index to pixels. */
function drawScene(scene, x, chosen) {
  const { model, width, lanes } = scene;
  const step = x(1) - x(0);
  const from = Math.max(0, Math.floor(x.invert(lanes.gutter)));
  const to = Math.min(model.operators.length, Math.ceil(x.invert(width - lanes.right)));
  const runs = scene.runs.filter((run) => run.end > from && run.start < to);
  const indices = d3.range(from, to);
  drawWork(scene, x, indices);
  drawContainers(
    scene,
    x,
    runs.filter((run) => run.placement === "npu"),
  );
  drawTransfers(scene, x);
  drawRuns(scene, x, step < SINGLE ? runs : []);
  const single = step < SINGLE ? [] : indices;
  drawBlocks(scene, x, step, chosen !== null && step < SINGLE ? [chosen] : single, chosen);
  drawChoice(scene, x, step, chosen);
  drawAxis(scene, x, from, to, step);
}

function rectangle(x, y, width, height) {
  return `M${x.toFixed(1)} ${y.toFixed(1)}h${width.toFixed(1)}v${height.toFixed(1)}h${(-width).toFixed(1)}z`;
}

/** One path per placement: for each column of pixels the operator with the most work. */
function drawWork(scene, x, indices) {
  const [top, base] = scene.lanes.work;
  const columns = new Map();
  for (const index of indices) {
    const { placement, macs } = scene.model.operators[index];
    const key = `${placement} ${Math.floor(x(index))}`;
    if (macs && macs > (columns.get(key)?.macs ?? 0)) columns.set(key, { placement, macs, index });
  }
  const paths = { npu: "", cpu: "", unknown: "" };
  for (const { placement, macs, index } of columns.values()) {
    const height = Math.max(((base - top) * macs) / scene.most, 1);
    paths[placement] += rectangle(x(index), base - height, Math.max(x(index + 1) - x(index) - 1, 1), height);
  }
  scene.work
    .selectAll("path")
    .data(Object.entries(paths))
    .join("path")
    .attr("class", ([placement]) => placement)
    .attr("d", ([, path]) => path);
}

function drawContainers(scene, x, runs) {
  const [top, end] = scene.lanes.npu;
  scene.containers
    .selectAll(".link")
    .data(scene.split, (p) => p.id)
    .join("path")
    .attr("class", "link")
    .attr("d", (p) => `M${x(p.first)} ${top - 9}H${x(p.last + 1)}`);
  const far = x(1) - x(0) < SINGLE;
  scene.containers
    .selectAll(".container")
    .data(far ? [] : runs, (run) => run.start)
    .join("rect")
    .attr("class", "container npu")
    .attr("x", (run) => x(run.start) + 0.5)
    .attr("width", (run) => Math.max(x(run.end) - x(run.start) - 1, 1))
    .attr("y", top - 3)
    .attr("height", end - top + 6)
    .attr("rx", (run) => (x(run.end) - x(run.start) > 8 ? 4 : 0));
  // A label stays in sight as long as a part of its run is.
  const labels = runs
    .map((run) => {
      const left = Math.max(x(run.start), scene.lanes.gutter) + 2;
      const room = Math.min(x(run.end), scene.width - scene.lanes.right) - left;
      const long = `P${run.partition} · ${run.end - run.start} operator${run.end - run.start === 1 ? "" : "s"}`;
      const text = [long, `P${run.partition}`].find((words) => words.length * LETTER < room);
      return { run, left, text };
    })
    .filter((label) => label.text);
  scene.containers
    .selectAll(".count")
    .data(labels, (label) => label.run.start)
    .join("text")
    .attr("class", "count")
    .attr("x", (label) => label.left)
    .attr("y", scene.lanes.label)
    .text((label) => label.text);
}

/** Where tensors go in, before a partition's first operator, and come out, after its last. */
function drawTransfers(scene, x) {
  const marks = scene.model.partitions
    .filter((p) => p.first !== null)
    .flatMap((p) => [
      { key: `in ${p.id}`, at: x(p.first), up: true, bytes: p.in },
      { key: `out ${p.id}`, at: x(p.last + 1), up: false, bytes: p.out },
    ])
    .filter((mark) => mark.at > scene.lanes.gutter - 60 && mark.at < scene.width + 60)
    .sort((a, b) => a.at - b.at);
  const [top, end] = scene.lanes.arrows;
  const crowd = marks.length > scene.width / 5;
  scene.transfers
    .selectAll(".crowd")
    .data(crowd ? [marks.length] : [])
    .join("text")
    .attr("class", "bytes crowd")
    .attr("x", scene.lanes.gutter + 8)
    .attr("y", (top + end) / 2 + 4)
    .text((count) => `${d3.format(",")(count)} transfers in view: zoom in to see each`);
  if (crowd) marks.length = 0;
  const inset = (mark) => mark.at + (mark.up ? 4 : -4);
  scene.transfers
    .selectAll("path")
    .data(marks, (mark) => mark.key)
    .join("path")
    .attr("class", "arrow")
    .attr("d", (mark) => {
      const [tip, tail, back] = mark.up ? [top, end, 7] : [end, top, -7];
      return `M${inset(mark)} ${tail}V${tip + back}M${inset(mark)} ${tip}l3.5 ${back}h-7z`;
    });
  const labels = transferLabels(scene, marks, inset);
  for (const up of [true, false])
    scene.transfers
      .selectAll(up ? ".in" : ".out")
      .data(
        labels.filter((label) => label.up === up),
        (label) => label.key,
      )
      .join("text")
      .attr("class", `bytes ${up ? "in" : "out"}`)
      .attr("x", (label) => label.left)
      .attr("y", up ? top + 11 : end - 3)
      .text((label) => label.bytes);
}

/**
 * Bytes beside the arrows, those that go in above those that come out, where they fit: on the side of the
 * partition, else on the other, else across an arrow of the other direction.
 */
function transferLabels(scene, marks, inset) {
  const ends = { true: scene.lanes.gutter, false: scene.lanes.gutter };
  const last = scene.width - scene.lanes.right;
  const labels = [];
  marks.forEach((mark, number) => {
    const length = mark.bytes.length * LETTER;
    const right = inset(mark) + 7;
    const left = inset(mark) - 7 - length;
    const [before, after] = [marks[number - 1], marks[number + 1]];
    const fits = (from) => from >= ends[mark.up] && from + length <= last;
    const clear = (from) =>
      fits(from) &&
      (from > inset(mark)
        ? !after || from + length <= inset(after) - 5
        : !before || from >= inset(before) + 5);
    const same = mark.up
      ? marks.slice(number + 1).find((other) => other.up)
      : marks.slice(0, number).findLast((other) => !other.up);
    const lonely = !same || Math.abs(same.at - mark.at) >= length + 20;
    const [near, far] = mark.up ? [right, left] : [left, right];
    const from = [near, far].find(clear) ?? (lonely && fits(near) ? near : undefined);
    if (from === undefined) return;
    ends[mark.up] = from + length + 8;
    labels.push({ ...mark, left: from });
  });
  return labels;
}

function drawAxis(scene, x, from, to, step) {
  const count = Math.max(2, Math.floor((scene.width - scene.lanes.gutter) / 90));
  const every = Math.max(1, Math.round(d3.tickStep(from, to, count)));
  const ticks = d3.range(from, to).filter((index) => index === 0 || (index + 1) % every === 0);
  const shown = ticks.filter((index, i) => i !== 0 || ticks.length < 2 || x(ticks[1]) - x(index) > 24);
  scene.axis.attr("transform", `translate(0 ${scene.bottom + 4})`).call(
    d3
      .axisBottom(d3.scaleLinear([from, to], [x(from), x(to)]))
      .tickValues(shown)
      .tickFormat((index) => index + 1)
      .tickSizeOuter(0),
  );
  scene.axis.selectAll(".tick").each(function (index) {
    d3.select(this).attr("transform", `translate(${x(index) + step / 2} 0)`);
  });
}
