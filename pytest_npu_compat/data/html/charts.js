"use strict";
// The two charts of a model, made with Observable Plot. The same figures stand in a table beside them.

const PAINT = {
  domain: ["npu", "cpu", "unknown"],
  range: ["var(--npu)", "url(#hatched)", "url(#dotted)"],
};
const MAX_KINDS = 16;

function drawCharts(holder, model, width = holder.clientWidth || 600) {
  const draw = { shares: shareChart, kinds: kindChart }[holder.dataset.chart];
  holder.replaceChildren(draw(model, Math.max(260, Math.min(width, 700))));
}

function shareChart(model, width) {
  const bars = stack(
    model.shares,
    (bar) => bar.of,
    (bar) => bar.share,
  );
  const fits = (bar) => (bar.end - bar.start) * (width - 92) > bar.label.length * 6.6 + 8;
  for (const bar of bars) {
    bar.label = `${PAGE.words[bar.placement]} ${bar.text}`;
    if (!fits(bar)) bar.label = `${PAGE.words[bar.placement]} ${bar.text.split(" ")[0]}`;
  }
  return Plot.plot({
    width,
    height: 96,
    marginLeft: 72,
    marginRight: 20,
    marginTop: 0,
    ariaLabel: bars.map((bar) => `${bar.of}: ${bar.label}`).join("; "),
    x: { label: null, tickFormat: "%", domain: [0, 1], ticks: 5 },
    y: { label: null, domain: ["operators", "MACs"], tickSize: 0, padding: 0.2 },
    color: PAINT,
    marks: [
      Plot.barX(bars, { x1: "start", x2: "end", y: "of", fill: "placement", insetRight: 1, title: "label" }),
      Plot.text(bars.filter(fits), {
        x: (bar) => (bar.start + bar.end) / 2,
        y: "of",
        text: "label",
        fill: "var(--on)",
        fontWeight: 600,
      }),
    ],
  });
}

function kindChart(model, width) {
  const totals = d3.rollup(
    model.kinds,
    (rows) => d3.sum(rows, (row) => row.count),
    (row) => row.kind,
  );
  const kept = new Set([...totals.keys()].slice(0, totals.size > MAX_KINDS ? MAX_KINDS - 1 : MAX_KINDS));
  const rest = `${totals.size - kept.size} other kinds`;
  const rows = d3
    .flatRollup(
      model.kinds,
      (group) => d3.sum(group, (row) => row.count),
      (row) => (kept.has(row.kind) ? row.kind : rest),
      (row) => row.placement,
    )
    .map(([kind, placement, count]) => ({ kind, placement, count }));
  const bars = stack(
    rows,
    (row) => row.kind,
    (row) => row.count,
  );
  const ends = d3
    .rollups(
      bars,
      (group) => ({
        end: d3.max(group, (bar) => bar.end),
        text: group.map((bar) => `${bar.count} ${PAGE.words[bar.placement]}`).join(" · "),
      }),
      (bar) => bar.kind,
    )
    .map(([kind, end]) => ({ kind, ...end }));
  const most = d3.max(ends, (end) => end.end);
  const longest = Math.min(
    d3.max(ends, (end) => end.kind.length),
    22,
  );
  return Plot.plot({
    width,
    height: 22 * ends.length + 26,
    marginLeft: longest * 6.6 + 16,
    // Room for the label behind the longest bar.
    marginRight: d3.max(ends, (end) => end.text.length) * 6.6 + 12,
    marginTop: 0,
    ariaLabel: ends.map((end) => `${end.kind}: ${end.text}`).join("; "),
    x: { label: null, domain: [0, most], ticks: [] },
    y: {
      label: null,
      domain: ends.map((end) => end.kind),
      tickSize: 0,
      padding: 0.25,
      tickFormat: (kind) => shorten(kind, 22),
    },
    color: PAINT,
    marks: [
      Plot.barX(bars, { x1: "start", x2: "end", y: "kind", fill: "placement", insetRight: 0.5 }),
      Plot.text(ends, {
        x: "end",
        y: "kind",
        text: "text",
        textAnchor: "start",
        dx: 5,
        fill: "var(--quiet)",
      }),
      Plot.ruleX([0], { stroke: "var(--quiet)" }),
    ],
  });
}

/** Each row with where its bar starts and ends in its group. */
function stack(rows, group, length) {
  const ends = new Map();
  return rows.map((row) => {
    const start = ends.get(group(row)) ?? 0;
    ends.set(group(row), start + length(row));
    return { ...row, start, end: start + length(row) };
  });
}

function shorten(text, length) {
  return text.length <= length ? text : `${text.slice(0, Math.max(length - 1, 1))}…`;
}
