// The map beside the sliders: the triangle of three objectives (or the line of two), cut into
// the parts of the weights that give one response each. A mouse or pen may drag over it.

const SVG = "http://www.w3.org/2000/svg";
// Plotly's Viridis, from low to high.
const VIRIDIS = [
  [68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142],
  [31, 158, 137], [53, 183, 121], [110, 206, 88], [181, 222, 43], [253, 231, 37],
];
const TRIANGLE_HEIGHT = Math.sqrt(3) / 2;
const LINE_HEIGHT = 0.09;
const MAP_DIGITS = 4;

function viridis(share) {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  const mixed = VIRIDIS[low].map((value, i) => value + (at - low) * (VIRIDIS[low + 1][i] - value));
  return `rgb(${mixed.map(Math.round).join(" ")})`;
}

function svg(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent?.append(element);
  return element;
}

// Where weights stand on the map, y downwards; as dashboard/figures/simplex.py lays it out.
function toPlane(weights) {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const shares = weights.map((weight) => weight / sum);
  if (shares.length === 2) return [shares[1], LINE_HEIGHT / 2];
  return [shares[1] + shares[2] / 2, TRIANGLE_HEIGHT * (1 - shares[2])];
}

// The weights at a place of the map, the largest 1; places outside are moved to its side.
function fromPlane(x, y, nObjectives) {
  const third = nObjectives === 2 ? 0 : 1 - y / TRIANGLE_HEIGHT;
  const second = x - third / 2;
  const shares = [1 - second - third, second, third].slice(0, nObjectives);
  const inside = shares.map((share) => Math.max(share, 0));
  return byTheLargest(inside).map((weight) => Number(weight.toFixed(MAP_DIGITS)));
}

function meanOf(scores) {
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}

// Draws the map into `parent`; returns {show(weights, cell, reference)} or null where there is
// no flat map. `onMove(weights)` follows a pointer, `onRelease()` ends it.
function drawMap(parent, atlas, objectives, onMove, onRelease) {
  const n = objectives.length;
  if (n > 3) return null;
  const height = n === 2 ? LINE_HEIGHT : TRIANGLE_HEIGHT;
  const drawing = svg(
    "svg",
    { viewBox: `-0.03 -0.03 1.06 ${height + 0.06}`, class: "drawing", role: "img" },
    parent,
  );
  const means = atlas.cells.map((cell) => (cell.scores ? meanOf(cell.scores) : null));
  const known = means.filter((mean) => mean !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const shapes = atlas.cells.map((cell, place) => cellShape(cell, means[place], low, high, drawing));
  drawing.setAttribute("aria-label", mapLabel(atlas, low, high));
  const raised = svg("polygon", { class: "chosen" }, drawing);
  const pinned = svg("path", { class: "pinned", d: "M0 -.022 L.022 0 L0 .022 L-.022 0 Z" }, drawing);
  const marker = svg("circle", { class: "marker", r: 0.017 }, drawing);
  followPointer(drawing, n, onMove, onRelease);
  return {
    low,
    high,
    show(weights, cell, reference) {
      const isSomewhere = weights.some(Boolean);
      marker.style.display = isSomewhere ? "" : "none";
      raised.style.display = isSomewhere ? "" : "none";
      pinned.style.display = reference ? "" : "none";
      if (reference) pinned.setAttribute("transform", `translate(${toPlane(reference).join(" ")})`);
      if (!isSomewhere) return;
      const [x, y] = toPlane(weights);
      marker.setAttribute("cx", x);
      marker.setAttribute("cy", y);
      raised.setAttribute("points", shapes[cell].getAttribute("points"));
    },
  };
}

function cellShape(cell, mean, low, high, drawing) {
  const corners = cell.corners.map(toPlane);
  if (cell.corners[0].length === 2) {
    const ends = corners.map(([x]) => x);
    const [left, right] = [Math.min(...ends), Math.max(...ends)];
    corners.splice(0, corners.length, [left, 0], [right, 0], [right, LINE_HEIGHT], [left, LINE_HEIGHT]);
  }
  const fill = mean === null ? "var(--open)" : viridis(high > low ? (mean - low) / (high - low) : 0.5);
  const points = corners.map((corner) => corner.map((at) => at.toFixed(5)).join(",")).join(" ");
  return svg("polygon", { class: "cell", points, fill }, drawing);
}

function mapLabel(atlas, low, high) {
  const range = low <= high ? `, mean reward ${low.toFixed(3)} to ${high.toFixed(3)}` : "";
  return `Map of all weights, cut into ${atlas.cells.length} responses${range}. The sliders reach all of it.`;
}

function followPointer(drawing, nObjectives, onMove, onRelease) {
  const move = (event) => {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(
      drawing.getScreenCTM().inverse(),
    );
    onMove(fromPlane(place.x, place.y, nObjectives));
  };
  let isDown = false;
  drawing.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    isDown = true;
    drawing.setPointerCapture(event.pointerId);
    move(event);
  });
  drawing.addEventListener("pointermove", (event) => {
    if (isDown) move(event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    drawing.addEventListener(end, () => {
      if (isDown) onRelease();
      isDown = false;
    });
  }
  // A finger scrolls the page; only its tap chooses.
  drawing.addEventListener("click", (event) => {
    if (event.pointerType !== "touch") return;
    move(event);
    onRelease();
  });
}

// What stands around the map: its corners, what it shows, and its colours.
function mapLegend(atlas, objectives, { low, high }) {
  const scale = make("span", { class: "scale", "aria-hidden": "true" });
  const known =
    low <= high
      ? [make("span", {}, low.toFixed(3)), scale, make("span", {}, high.toFixed(3))]
      : [make("span", {}, "no scores")];
  const corners = objectives.map(({ name, colour }, place) =>
    make(
      "span",
      { class: `corner c${place} of${objectives.length}`, style: `color: var(--st-${colour}-text-color)` },
      `only ${name}`,
    ),
  );
  const [n, isOpen] = [atlas.cells.length, atlas.cells.some((cell) => cell.isOpen)];
  const count = `${n} ${n === 1 ? "response" : "responses"} over all weights`;
  return [
    ...corners,
    make(
      "p",
      { class: "note" },
      `${count}: each area is the weights that give one${isOpen ? "; grey ones are open" : ""}. Click or drag.`,
    ),
    make("p", { class: "legend" }, "mean reward", ...known),
  ];
}
