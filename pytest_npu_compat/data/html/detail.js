"use strict";
// What is known of one operator, in words.

function showDetail(panel, model, index) {
  const operator = model.operators[index];
  panel.replaceChildren(
    element(
      "h4",
      { tabindex: "-1" },
      `${index + 1}. `,
      foreign(operator.kind),
      " ",
      element("code", {}, foreign(operator.name)),
    ),
    element("div", { class: "sides" }, facts(model, operator), findings(model, operator)),
  );
}

function hideDetail(panel) {
  panel.replaceChildren(
    element("p", { class: "hint" }, "Choose an operator for its shape, work, reasons and remedy."),
  );
}

function facts(model, operator) {
  const partition = model.partitions.find((p) => p.id === operator.partition);
  const rows = [
    ["runs on", element("span", { class: `placed ${operator.placement}` }, PAGE.words[operator.placement])],
    ["output shape", operator.shape],
    ["MACs", operator.work ?? "none"],
    ...Object.entries(operator.attributes ?? {}).map(([name, value]) => [name, value]),
    [
      "partition",
      partition
        ? `P${partition.id}: ${partition.operators} operator${partition.operators === 1 ? "" : "s"}, in ${partition.inputs}, out ${partition.outputs}`
        : null,
    ],
    ["composite", operator.composite ?? null],
    ["alone", alone(operator)],
    ["nodes", operator.nodes ? operator.nodes.join(", ") : null],
    ["baseline", operator.left ? "◆ was on the NPU" : null],
  ];
  return element(
    "dl",
    {},
    rows
      .filter(([, value]) => value !== null)
      .flatMap(([name, value]) => [
        element("dt", {}, foreign(name)),
        element("dd", {}, typeof value === "string" ? foreign(value) : value),
      ]),
  );
}

/** The target's verdict on the operator alone, where it is not what the placement already says. */
function alone(operator) {
  if (operator.supported === "estimate-only") return "estimate-only: the NPU's compiler can only estimate it";
  return operator.supported === true && operator.placement !== "npu" ? "supported by the NPU" : null;
}

function findings(model, operator) {
  const made = [];
  for (const [css, found] of [
    ["", operator.reasons],
    ["hazard", operator.hazards],
  ]) {
    for (const [number, actual] of found ?? []) {
      const rule = model.rules[number];
      made.push(
        element(
          "div",
          { class: `finding ${css}` },
          element(
            "p",
            {},
            css ? "! hazard " : "",
            element("code", {}, rule.rule),
            " ",
            foreign(rule.message),
          ),
          element(
            "dl",
            {},
            element("dt", {}, "is"),
            element("dd", {}, foreign(actual)),
            rule.allowed ? [element("dt", {}, "allowed"), element("dd", {}, foreign(rule.allowed))] : [],
            element("dt", {}, "what to do"),
            element("dd", {}, foreign(rule.remedy)),
          ),
        ),
      );
    }
  }
  if (!made.length) made.push(element("p", { class: "hint" }, "Nothing stands in the way of the NPU."));
  return element("div", {}, made);
}
