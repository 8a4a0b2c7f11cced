// One slider per objective, and what the ensemble answers at their weights.
//
// With an atlas the answer is looked up here, at the pace of the hand; the server hears of the
// weights when they are let go. Without one, the server decodes and sends `answers`; an answer is
// shown as current only at the very weights (up to scale) that it was made for.
//
// Streamlit calls the default function again whenever the data change: what the user is doing
// lives in `instances` and goes on.

const instances = new WeakMap();
const KEY_STEPS = { ArrowRight: 0.01, ArrowUp: 0.01, ArrowLeft: -0.01, ArrowDown: -0.01 };
const PAGE_STEPS = { PageUp: 0.1, PageDown: -0.1 };
const DRAG_DIGITS = 3;
const KEPT_DIGITS = 5; // as the URL holds weights
const SAID_MS = 2500;

function rounded(weight, digits) {
  return Number(Math.min(Math.max(weight, 0), 1).toFixed(digits));
}

function weightsText(weights) {
  return weights.map((weight) => rounded(weight, KEPT_DIGITS)).join(",");
}

class Sliders {
  constructor(root) {
    this.root = root;
    this.isDragging = false;
    this.heard = null; // the server's last weights
    this.sent = []; // weights that the server was told and has not said back yet
  }

  // Takes over what the server says. Weights that others chose (a link, a click on another view,
  // the browser's way back) move the sliders, and what was being typed is given up; the server's
  // echo of an earlier release does not pull them back.
  take({ data, setTriggerValue }) {
    this.send = setTriggerValue;
    const said = weightsText(data.weights);
    const echo = this.sent.lastIndexOf(said);
    if (echo >= 0) this.sent.splice(0, echo + 1);
    const isNew = said !== this.heard && echo < 0 && !this.isDragging;
    this.heard = said;
    const isFirst = !this.data;
    const before = this.data;
    this.data = data;
    if (isFirst || isNew) this.weights = [...data.weights];
    if (isNew) this.rows?.forEach((row) => (row.isTyping = false));
    if (isFirst || weightsText(data.reference ?? []) !== this.heardReference) {
      this.heardReference = weightsText(data.reference ?? []);
      this.reference = data.reference;
    }
    if (JSON.stringify(before?.objectives) !== JSON.stringify(data.objectives)) this.build();
    if (JSON.stringify(before?.presets) !== JSON.stringify(data.presets)) this.buildPresets();
    if (JSON.stringify(before?.atlas) !== JSON.stringify(data.atlas)) this.buildMap();
    this.update();
  }

  build() {
    this.rows = this.data.objectives.map((objective, place) => this.buildRow(objective, place));
    this.presets = make("div", { class: "presets", role: "group", "aria-label": "Presets" });
    this.zero = make("p", { class: "note zero", role: "status" });
    this.map = make("div", { class: "map" });
    this.tip = make("div", { class: "tip", role: "tooltip", id: "tip" });
    this.tip.hidden = true;
    this.answer = buildAnswer(this);
    const rows = this.rows.map((row) => row.element);
    const controls = make("div", { class: "controls" }, ...rows, this.zero, this.tip);
    this.layout = make(
      "div",
      { class: "layout" },
      controls,
      this.presets,
      this.answer.element,
      this.map,
    );
    // Beside the styles, which Streamlit keeps in the root too.
    this.root.querySelector(".ensemble")?.remove();
    this.root.append(make("div", { class: "ensemble" }, this.layout));
  }

  buildRow(objective, place) {
    const label = `weight of ${objective.name}`;
    const row = { range: null, number: null, isTyping: false, keeps: make("div", { class: "keeps" }), edges: {} };
    row.range = make("input", { type: "range", min: 0, max: 1, step: "any", "aria-label": label });
    row.number = make("input", {
      type: "number", min: 0, max: 1, step: "any", inputmode: "decimal",
      "aria-label": `${label}, as a number`,
    });
    row.stays = make("span", { class: "stays" });
    for (const direction of [-1, 1]) row.edges[direction] = this.buildEdge(place, direction);
    row.element = make(
      "div",
      { class: "row", style: `--objective: var(--st-${objective.colour}-text-color)` },
      make("span", { class: "name", "aria-hidden": "true" }, make("span", { class: "mark" }), objective.name),
      row.stays,
      row.number,
      make(
        "div",
        { class: "rail" },
        make("div", { class: "track" }, row.keeps),
        row.range,
        row.edges[-1].button,
        row.edges[1].button,
      ),
    );
    this.listen(row, place);
    return row;
  }

  listen(row, place) {
    const { range, number } = row;
    range.addEventListener("input", () => {
      this.isDragging = true;
      this.change(place, rounded(range.valueAsNumber, DRAG_DIGITS));
    });
    range.addEventListener("change", () => this.release());
    // A drag that ends where it began is no change.
    for (const end of ["pointerup", "pointercancel", "blur"]) {
      range.addEventListener(end, () => this.isDragging && this.release());
    }
    range.addEventListener("keydown", (event) => this.onKey(event, place));
    number.addEventListener("input", () => {
      row.isTyping = true;
      this.takeTyped(row, place);
    });
    number.addEventListener("change", () => {
      this.takeTyped(row, place);
      row.isTyping = false;
      this.release();
    });
    number.addEventListener("keydown", (event) => this.onNumberKey(event, row, place));
    // What was typed and taken back is no change.
    number.addEventListener("blur", () => {
      row.isTyping = false;
      this.update();
    });
  }

  takeTyped({ number }, place) {
    const typed = number.valueAsNumber;
    if (typed >= 0 && typed <= 1) this.change(place, rounded(typed, KEPT_DIGITS));
  }

  // The field has no steps of its own, as every weight is allowed: its arrows move as the slider
  // does. Escape gives up what was typed.
  onNumberKey(event, row, place) {
    if (event.key === "Escape") {
      row.isTyping = false;
      this.moveTo((this.sent.at(-1) ?? this.heard).split(",").map(Number));
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      row.isTyping = false;
      this.onKey(event, place);
    }
  }

  // A range input without steps moves by a hundredth, but rounds in its own way: the keys are
  // ours. Shift makes steps of a thousandth.
  onKey(event, place) {
    const fine = event.shiftKey ? 0.1 : 1;
    const step = KEY_STEPS[event.key] ? KEY_STEPS[event.key] * fine : PAGE_STEPS[event.key];
    const ends = { Home: 0, End: 1 };
    if (step === undefined && !(event.key in ends)) return;
    event.preventDefault();
    const weight = event.key in ends ? ends[event.key] : this.weights[place] + step;
    this.change(place, rounded(weight, DRAG_DIGITS));
    this.release();
  }

  change(place, weight) {
    this.weights = this.weights.map((old, i) => (i === place ? weight : old));
    this.update();
  }

  moveTo(weights) {
    this.weights = weights.map((weight) => rounded(weight, KEPT_DIGITS));
    this.update();
  }

  release() {
    this.isDragging = false;
    const text = weightsText(this.weights);
    if (text !== (this.sent.at(-1) ?? this.heard)) {
      this.sent.push(text);
      this.send("moved", this.weights);
    }
    this.update();
  }

  pin(weights) {
    this.reference = weights;
    this.send("pinned", weights ?? []);
    this.update();
  }

  buildPresets() {
    const buttons = this.data.presets.map(({ label, weights }) => {
      const button = make("button", { type: "button" }, label);
      button.addEventListener("click", () => {
        this.moveTo(weights);
        this.release();
      });
      return button;
    });
    this.presets.replaceChildren(...buttons);
  }

  buildMap() {
    const { atlas, objectives } = this.data;
    const follow = (weights) => {
      this.isDragging = true;
      this.moveTo(weights);
    };
    this.map.replaceChildren();
    this.drawn = atlas ? drawMap(this.map, atlas, objectives, follow, () => this.release()) : null;
    if (this.drawn) this.map.append(...mapLegend(atlas, objectives, this.drawn));
    this.layout.classList.toggle("with-map", Boolean(this.drawn));
    this.answer.reserve(atlas);
  }

  // What is known of the ensemble at some weights: its text, its scores, and how it is known.
  responseAt(weights) {
    if (!weights.some(Boolean)) return { kind: "zero", text: "", scores: null };
    const { atlas, answers } = this.data;
    const cell = atlas ? lookUp(atlas, weights) : null;
    const found = atlas?.cells[cell];
    if (found && !found.isOpen) return { kind: "cell", cell, ...found };
    const answer = answers.find((one) => isSameDirection(one.weights, weights));
    if (answer) return { kind: "answer", cell, ...answer };
    if (found) return { kind: "open", cell, text: found.text, scores: null };
    return { kind: "unknown", cell, text: "", scores: null };
  }

  update() {
    const response = this.responseAt(this.weights);
    const { atlas } = this.data;
    const crossed = atlas && response.kind !== "zero" ? borders(atlas, this.weights) : [];
    // In an open cell the text may change before its borders too.
    const isOpen = Boolean(atlas?.cells[response.cell]?.isOpen);
    this.rows.forEach((row, place) => this.showRow(row, place, crossed, isOpen));
    this.zero.textContent =
      response.kind === "zero"
        ? "All weights are 0: they have no direction, so there is nothing to decode. Raise one."
        : "";
    this.answer.show(response);
    this.drawn?.show(this.weights, response.cell, this.reference);
  }

  showRow(row, place, crossed, isOpen) {
    const weight = this.weights[place];
    // Borders at the slider's own ends cannot be crossed.
    const own = crossed.filter(
      (border) => border.objective === place && border.weight > 0 && border.weight < 1,
    );
    const less = own.find((border) => border.direction < 0);
    const more = own.find((border) => border.direction > 0);
    const stays = this.staysText(less, more, isOpen);
    if (row.range.valueAsNumber !== weight) row.range.value = weight;
    if (!row.isTyping) row.number.value = rounded(weight, KEPT_DIGITS);
    row.range.setAttribute("aria-valuetext", `${weight.toFixed(3)}${stays ? `, ${stays}` : ""}`);
    row.range.style.setProperty("--at", weight);
    row.stays.textContent = stays;
    row.keeps.hidden = !stays || isOpen;
    row.keeps.style.setProperty("--from", less?.weight ?? 0);
    row.keeps.style.setProperty("--to", more?.weight ?? 1);
    this.showEdge(row.edges[-1], less);
    this.showEdge(row.edges[1], more);
  }

  staysText(less, more, isOpen) {
    if (!this.data.atlas || !this.weights.some(Boolean)) return "";
    if (!less && !more) return isOpen ? "may change the text" : "never changes the text";
    const ends = `from ${(less?.weight ?? 0).toFixed(3)} to ${(more?.weight ?? 1).toFixed(3)}`;
    return `same text ${isOpen ? "at most " : ""}${ends}`;
  }

  // The end of the interval in which the text stays the same: hovered or focused it shows the
  // text behind it, pressed it goes there.
  buildEdge(place, direction) {
    const button = make("button", { type: "button", class: `edge ${direction < 0 ? "less" : "more"}` });
    const edge = { button, border: null, place, direction };
    for (const start of ["pointerenter", "focus"]) {
      button.addEventListener(start, () => this.showTip(edge));
    }
    for (const end of ["pointerleave", "blur"]) {
      button.addEventListener(end, () => this.showTip(null));
    }
    button.addEventListener("click", () => this.cross(edge));
    button.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.showTip(null);
    });
    return edge;
  }

  showEdge(edge, border) {
    edge.border = border;
    edge.button.hidden = !border;
    if (!border) return;
    const name = this.data.objectives[edge.place].name;
    const side = edge.direction < 0 ? "below" : "above";
    edge.button.style.setProperty("--at", border.weight);
    edge.button.setAttribute(
      "aria-label",
      `${name} ${side} ${border.weight.toFixed(3)}: ${this.data.atlas.cells[border.cell].text}`,
    );
  }

  showTip(edge) {
    this.tip.hidden = !edge?.border;
    if (!edge?.border) return;
    const name = this.data.objectives[edge.place].name;
    const side = edge.direction < 0 ? "below" : "above";
    const cell = this.data.atlas.cells[edge.border.cell];
    const text = make("p", { class: "text", dir: "auto" });
    showWords(text, this.responseAt(this.weights).text, cell.text, "added");
    const score = cell.scores ? `, mean ${meanOf(cell.scores).toFixed(3)}` : "";
    this.tip.replaceChildren(
      make(
        "p",
        { class: "note" },
        `${name} ${side} ${edge.border.weight.toFixed(3)}${score}; marked: what would be `,
        make("ins", {}, "new"),
      ),
      text,
    );
    const row = this.rows[edge.place].element;
    this.tip.style.top = `${row.offsetTop + row.offsetHeight}px`;
  }

  // Goes just behind a border, as far as weights are kept; some parts are thinner than that.
  cross({ border, place, direction }) {
    if (!border) return;
    const unit = 10 ** -KEPT_DIGITS;
    const weight = rounded(border.weight + direction * unit, KEPT_DIGITS);
    const beyond = this.weights.map((old, i) => (i === place ? weight : old));
    if (!beyond.some(Boolean)) return;
    this.showTip(null);
    this.change(place, weight);
    this.release();
  }
}

export default function (component) {
  const { parentElement } = component;
  if (!instances.has(parentElement)) instances.set(parentElement, new Sliders(parentElement));
  instances.get(parentElement).take(component);
}
