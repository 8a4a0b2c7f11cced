// Sends the name of a clicked point of a Plotly chart to Python.
//
// Streamlit's own selection events never fire for scatter3d, so we listen to Plotly's. In 3D
// Plotly reports a click as soon as the button goes down on a point, also when a rotation
// begins there: only a pointer that is released where it was pressed has clicked.
//
// Streamlit mounts a new chart whenever the figure changes, which forgets how the user turned
// it (Plotly's uirevision works within one chart only): we hand the camera over. It is read
// again and again, as the view still moves for some frames after the last event. A turntable
// plans its view half a second ahead when Plotly sets it up: until then it follows no mouse,
// and a camera given to it can be overruled, so we insist for that long.
const MOVED_PIXELS = 5;
const LOOK_EVERY_MS = 60;
const LOOK_FIRST_MS = 15;
const SETTLE_MS = 600;
const SAME = 1e-6;
// A cube in a narrow window is seen from further away, or its axes are cut off.
const NARROW_PIXELS = 560;
const FINEST = 2;
const FURTHEST = 1.5;
const cameras = new Map();
// Charts whose picture is to be saved as soon as they stand still.
const pictures = new Set();
const SAVE = '.modebar-btn[data-title^="Download plot"]';
const RUNNING = '[data-testid="stApp"][data-test-script-state="running"]';

// Saving a picture takes Plotly a while, and at its end a message in the chart's language. If
// Streamlit has put another chart there meanwhile, the old one has forgotten its language: a copy
// behind it answers then, and the picture is saved all the same.
function keepSettings(chart) {
  const settings = { value: chart._context, writable: true, configurable: true };
  if (!chart._context) return;
  Object.setPrototypeOf(
    chart,
    Object.create(Object.getPrototypeOf(chart), { _context: settings }),
  );
}

function fromFurtherAway(camera, width) {
  const away = Math.min(NARROW_PIXELS / width, FURTHEST);
  const eye = Object.fromEntries(
    Object.entries(camera.eye).map(([axis, value]) => [axis, value * away]),
  );
  return { ...camera, eye };
}

function isSame(one, other) {
  return ["eye", "center", "up"].every((part) =>
    ["x", "y", "z"].every((axis) => Math.abs(one[part][axis] - other[part][axis]) < SAME),
  );
}

export default function (component) {
  const { data, setTriggerValue } = component;
  let chart = null;
  let hovered = null;
  let pressed = null;
  let clicked = null;
  let wasClick = false;
  let isSent = false;
  let isTurned = false;
  let wanted = null;
  let drawnAt = 0;

  const nameOf = (event) => {
    const name = event?.points?.[0]?.customdata;
    return typeof name === "string" ? name : null;
  };
  // Where a click in the plane fell, in the units of the axes, for charts that take any place.
  const placeOf = (event) => {
    const { xaxis, yaxis } = chart?._fullLayout ?? {};
    if (!data.anywhere || !xaxis || !yaxis) return null;
    if (event.target.closest?.(".modebar, .legend")) return null;
    const frame = chart.getBoundingClientRect();
    const x = xaxis.p2l(event.clientX - frame.left - xaxis._offset);
    const y = yaxis.p2l(event.clientY - frame.top - yaxis._offset);
    return Number.isFinite(x) && Number.isFinite(y) ? `@${x.toFixed(6)},${y.toFixed(6)}` : null;
  };
  const send = (name) => {
    if (name === null || isSent) return;
    isSent = true;
    setTriggerValue("picked", name);
  };
  const onHover = (event) => {
    hovered = nameOf(event);
  };
  const onUnhover = () => {
    hovered = null;
  };
  const onPress = (event) => {
    pressed = { x: event.clientX, y: event.clientY };
    clicked = null;
    isSent = false;
    onTurn();
  };
  const onRelease = (event) => {
    if (!pressed) return;
    const moved = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y);
    pressed = null;
    wasClick = moved <= MOVED_PIXELS;
    if (wasClick) send(clicked ?? hovered ?? placeOf(event));
  };
  // In 3D this comes while the button is down, or never when it is down for less than a frame
  // (hence the hovered point); in 2D and on touch screens it comes after the release.
  const onClick = (event) => {
    clicked = nameOf(event);
    if (!pressed && wasClick) send(clicked);
  };
  const onTurn = () => {
    isTurned = true;
  };
  const isStill = () =>
    (chart.dataset.steady || !chart._fullLayout?.scene) && !document.querySelector(RUNNING);
  const onSave = (event) => {
    if (!event.target.closest?.(SAVE) || isStill()) return;
    event.stopPropagation();
    pictures.add(data.chart);
  };
  const saveWhenStill = () => {
    if (!pictures.has(data.chart) || !isStill()) return;
    pictures.delete(data.chart);
    chart.querySelector(SAVE)?.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  };
  const giveCamera = (camera) => {
    const layout = chart._fullLayout.scene;
    // The first is what any later layout of this chart starts from, the others what shows now.
    Object.assign(chart.layout.scene, { camera: structuredClone(camera) });
    Object.assign(layout.camera, structuredClone(camera));
    layout._scene.setViewport(layout);
  };
  const keepCamera = () => {
    const camera = chart?._fullLayout?.scene?._scene?.getCamera();
    if (!camera) return;
    if (wanted && !isSame(camera, wanted)) {
      giveCamera(wanted);
      return;
    }
    if (performance.now() - drawnAt < SETTLE_MS) return;
    wanted = null;
    if (!chart.dataset.steady) chart.dataset.steady = "yes";
    if (isTurned) cameras.set(data.chart, camera);
  };
  // Charts in space come with one pixel per CSS pixel, as many machines draw them without a GPU;
  // a screen that shows more gets more.
  const sharpen = () => {
    const plot = chart._fullLayout.scene?._scene?.glplot;
    const ratio = Math.min(window.devicePixelRatio, FINEST);
    if (!plot || plot.pixelRatio >= ratio) return;
    plot.pixelRatio = ratio;
    window.dispatchEvent(new Event("resize"));
  };
  const listeners = [
    ["plotly_hover", onHover],
    ["plotly_unhover", onUnhover],
    ["plotly_click", onClick],
    ["plotly_relayout", onTurn],
  ];
  const detach = () => {
    if (!chart) return;
    for (const [name, listener] of listeners) chart.removeListener?.(name, listener);
    chart.removeEventListener("pointerdown", onPress, true);
    chart.removeEventListener("wheel", onTurn, true);
    chart.removeEventListener("click", onSave, true);
    delete chart.dataset.clickable;
    delete chart.dataset.steady;
    chart = null;
    hovered = null;
  };
  // Streamlit may draw the chart after us, and again when it is remounted.
  const attach = () => {
    const found = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`);
    if (found === chart) {
      if (chart) {
        keepCamera();
        saveWhenStill();
      }
      return;
    }
    const layout = found?._fullLayout;
    const isDrawn =
      layout &&
      typeof found.on === "function" &&
      (!layout.scene || layout.scene._scene?.glplot);
    if (found && !isDrawn) return;
    detach();
    if (!found) return;
    chart = found;
    for (const [name, listener] of listeners) chart.on(name, listener);
    chart.addEventListener("pointerdown", onPress, true);
    chart.addEventListener("wheel", onTurn, true);
    chart.addEventListener("click", onSave, true);
    keepSettings(chart);
    drawnAt = performance.now();
    wanted = cameras.get(data.chart) ?? null;
    isTurned = wanted !== null;
    if (!wanted && layout.scene && chart.clientWidth < NARROW_PIXELS) {
      wanted = fromFurtherAway(layout.scene.camera, chart.clientWidth);
    }
    keepCamera();
    sharpen();
    chart.dataset.clickable = "yes";
  };
  let timer = null;
  const look = () => {
    attach();
    timer = setTimeout(look, chart ? LOOK_EVERY_MS : LOOK_FIRST_MS);
  };
  look();
  window.addEventListener("pointerup", onRelease, true);
  return () => {
    clearTimeout(timer);
    window.removeEventListener("pointerup", onRelease, true);
    detach();
  };
}
