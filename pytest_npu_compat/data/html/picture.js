"use strict";
// The picture of a network: what is in view, what is chosen, and how mouse, keyboard and buttons change it.

/** At most so wide is an operator when all are in view; a small network stays small. */
const WIDEST = 110;
const CLOSEST = 150;

class Picture {
  constructor(figure, model) {
    this.model = model;
    this.chosen = null;
    this.host = figure.querySelector(".picture");
    this.panel = figure.querySelector(".detail");
    this.scene = makeScene(this.host, model);
    this.zoom = d3
      .zoom()
      // The wheel alone scrolls the page.
      .filter((event) => (event.type === "wheel" ? event.ctrlKey || event.metaKey : !event.button))
      .on("zoom", (event) => this.moved(event.transform));
    this.scene.svg.call(this.zoom);
    this.overview = new Overview(this);
    this.scene.svg.on("click", (event) => this.clicked(event));
    this.host.addEventListener("keydown", (event) => this.pressed(event));
    this.panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.host.focus();
      event.preventDefault();
    });
    startToolbar(figure.querySelector(".toolbar"), this);
    new ResizeObserver(() => this.resize()).observe(this.host);
    this.resize();
  }

  resize(width = this.host.clientWidth) {
    if (!width || width === this.scene.width) return;
    const { gutter, right } = this.scene.lanes;
    const count = this.model.operators.length;
    sizeScene(this.scene, width);
    const end = Math.min(width - right, gutter + count * WIDEST);
    this.whole = d3.scaleLinear([0, count], [gutter, end]);
    const closest = Math.max(1, CLOSEST / ((end - gutter) / count));
    const extent = [
      [gutter, 0],
      [width - right, this.scene.height],
    ];
    this.zoom.extent(extent).scaleExtent([1, closest]).translateExtent(extent);
    this.overview.resize(width, this.whole);
    this.scene.svg.call(this.zoom.transform, d3.zoomTransform(this.scene.svg.node()));
  }

  moved(transform) {
    this.x = transform.rescaleX(this.whole);
    this.overview.show(this.x);
    // One drawing per frame, however fast the wheel turns.
    this.frame ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = undefined;
    drawScene(this.scene, this.x, this.chosen);
    this.host.setAttribute(
      "aria-activedescendant",
      this.chosen === null ? "" : `${this.model.id}-${this.chosen}`,
    );
  }

  by(factor) {
    const { svg, lanes, width, height } = this.scene;
    const step = this.x(1) - this.x(0);
    const around = this.chosen === null ? (lanes.gutter + width) / 2 : this.x(this.chosen) + step / 2;
    svg.call(this.zoom.scaleBy, factor, [around, height / 2]);
  }

  fit() {
    this.scene.svg.call(this.zoom.transform, d3.zoomIdentity);
  }

  /** Shows the operators from one index to another, which may be fractions. */
  window(from, to) {
    const { gutter, right } = this.scene.lanes;
    const [left, end] = [this.whole(from), this.whole(to)];
    const scale = (this.scene.width - right - gutter) / Math.max(end - left, 1);
    this.scene.svg.call(
      this.zoom.transform,
      d3.zoomIdentity.translate(gutter, 0).scale(scale).translate(-left, 0),
    );
  }

  choose(index) {
    this.chosen = Math.max(0, Math.min(index, this.model.operators.length - 1));
    this.host.setAttribute("aria-activedescendant", "");
    const { gutter, right } = this.scene.lanes;
    const [left, end] = [this.x(this.chosen), this.x(this.chosen + 1)];
    if (left < gutter || end > this.scene.width - right) {
      this.scene.svg.call(this.zoom.translateTo, this.whole(this.chosen + 0.5), 0);
    }
    showDetail(this.panel, this.model, this.chosen);
    this.draw();
  }

  clear() {
    this.chosen = null;
    hideDetail(this.panel);
    this.draw();
  }

  /** The next operator from the chosen one on that fits, in a direction, around the end. */
  seek(direction, fits) {
    const count = this.model.operators.length;
    const start = this.chosen ?? (direction > 0 ? -1 : count);
    for (let far = 1; far <= count; far += 1) {
      const index = (((start + direction * far) % count) + count) % count;
      if (fits(this.model.operators[index])) {
        this.choose(index);
        say(describe(this.model, index));
        return;
      }
    }
    say("There is none.");
  }

  offNpu(direction) {
    this.seek(direction, (operator) => operator.placement !== "npu");
  }

  find(text) {
    const wanted = text.trim().toLowerCase();
    if (!wanted) return;
    this.seek(1, (operator) => `${operator.kind} ${operator.name}`.toLowerCase().includes(wanted));
  }

  clicked(event) {
    if (event.defaultPrevented) return; // it was dragged
    const [left] = d3.pointer(event, this.scene.svg.node());
    const index = Math.floor(this.x.invert(left));
    const inside = left >= this.scene.lanes.gutter && index >= 0 && index < this.model.operators.length;
    this.host.focus({ preventScroll: true });
    if (inside) this.choose(index);
    else this.clear();
  }

  pressed(event) {
    if (event.target !== this.host || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.chosen ?? -1;
    const last = this.model.operators.length - 1;
    const actions = {
      ArrowRight: () => this.choose(at + 1),
      ArrowLeft: () => this.choose(at < 0 ? last : at - 1),
      ArrowDown: () => this.choose(at + 1),
      ArrowUp: () => this.choose(at < 0 ? last : at - 1),
      PageDown: () => this.choose(at + 10),
      PageUp: () => this.choose(at - 10),
      Home: () => this.choose(0),
      End: () => this.choose(last),
      "+": () => this.by(1.6),
      "=": () => this.by(1.6),
      "-": () => this.by(1 / 1.6),
      0: () => this.fit(),
      n: () => this.offNpu(1),
      p: () => this.offNpu(-1),
      Enter: () => this.enter(),
      " ": () => this.enter(),
      Escape: () => this.clear(),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  /** From the picture into the details. */
  enter() {
    if (this.chosen === null) this.choose(0);
    this.panel.querySelector("h4").focus();
  }
}

/** The whole network as a thin strip, in which dragging chooses what is in view. */
class Overview {
  constructor(picture) {
    this.picture = picture;
    this.svg = d3.select(picture.host).append("svg").attr("class", "overview").attr("aria-hidden", "true");
    this.strip = this.svg.append("g");
    this.brush = d3.brushX().on("brush end", (event) => {
      if (!event.sourceEvent) return;
      const [from, to] = event.selection ?? this.whole.range();
      if (event.selection || event.type === "end")
        picture.window(this.whole.invert(from), this.whole.invert(to));
    });
    this.holder = this.svg.append("g");
  }

  resize(width, whole) {
    this.whole = whole;
    this.svg.attr("viewBox", `0 0 ${width} 26`).attr("height", 26);
    this.strip
      .selectAll("rect")
      .data(this.picture.scene.runs)
      .join("rect")
      .attr("class", (run) => run.placement)
      .attr("x", (run) => whole(run.start))
      .attr("width", (run) => Math.max(whole(run.end) - whole(run.start), 1))
      .attr("y", (run) => (run.placement === "npu" ? 5 : 13))
      .attr("height", 7);
    const [left, right] = whole.range();
    this.holder.call(
      this.brush.extent([
        [left, 2],
        [right, 23],
      ]),
    );
    // The library makes the holder focusable by its handles only with a mouse; keys act on the picture.
  }

  show(x) {
    const { lanes, width } = this.picture.scene;
    const [left, right] = this.whole.range();
    const ends = [lanes.gutter, width - lanes.right].map((pixel) => this.whole(x.invert(pixel)));
    this.holder.call(this.brush.move, [Math.max(ends[0], left), Math.min(ends[1], right)]);
  }
}

/** A toolbar is one stop of the Tab key; arrow keys move within it. */
function startToolbar(toolbar, picture) {
  const actions = {
    in: () => picture.by(1.6),
    out: () => picture.by(1 / 1.6),
    fit: () => picture.fit(),
    previous: () => picture.offNpu(-1),
    next: () => picture.offNpu(1),
  };
  const controls = [...toolbar.querySelectorAll("[data-do]")];
  const off = picture.model.operators.some((operator) => operator.placement !== "npu");
  for (const control of controls) {
    if (["previous", "next"].includes(control.dataset.do)) control.disabled = !off;
    control.addEventListener("click", () => actions[control.dataset.do]?.());
    control.addEventListener("focus", () => {
      for (const other of controls) other.tabIndex = other === control ? 0 : -1;
    });
  }
  toolbar.addEventListener("keydown", (event) => {
    const field = event.target.dataset.do === "find";
    if (field && event.key === "Enter") picture.find(event.target.value);
    if (field && !["Escape", "Tab"].includes(event.key) && event.target.value) return;
    const usable = controls.filter((control) => !control.disabled);
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!way) return;
    const next = usable[(usable.indexOf(event.target) + way + usable.length) % usable.length];
    next.focus();
    event.preventDefault();
  });
}
