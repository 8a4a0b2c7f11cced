// Sends the place of a click anywhere in a flat Plotly chart, in the units of its axes.
//
// Plotly tells of clicks on points only; here the area between points is what people click.
const MOVED_PIXELS = 5;
const LOOK_EVERY_MS = 100;

export default function (component) {
  const { data, setTriggerValue } = component;
  let chart = null;
  let pressed = null;

  const onPress = (event) => {
    pressed = event.target.closest(".modebar") ? null : { x: event.clientX, y: event.clientY };
  };
  const onRelease = (event) => {
    if (!pressed || !chart) return;
    const moved = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y);
    pressed = null;
    if (moved > MOVED_PIXELS) return;
    const { xaxis, yaxis } = chart._fullLayout;
    const frame = chart.getBoundingClientRect();
    const x = event.clientX - frame.left - xaxis._offset;
    const y = event.clientY - frame.top - yaxis._offset;
    const isInside = x >= 0 && y >= 0 && x <= xaxis._length && y <= yaxis._length;
    if (isInside) setTriggerValue("picked", `${xaxis.p2d(x)},${yaxis.p2d(y)}`);
  };
  const detach = () => {
    if (!chart) return;
    chart.removeEventListener("pointerdown", onPress, true);
    delete chart.dataset.clickable;
    chart = null;
  };
  // Streamlit may draw the chart after us, and again when it is remounted.
  const attach = () => {
    const found = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`);
    if (found === chart) return;
    detach();
    if (!found?._fullLayout?.xaxis) return;
    chart = found;
    chart.addEventListener("pointerdown", onPress, true);
    chart.dataset.clickable = "yes";
  };
  attach();
  const timer = setInterval(attach, LOOK_EVERY_MS);
  window.addEventListener("pointerup", onRelease, true);
  return () => {
    clearInterval(timer);
    window.removeEventListener("pointerup", onRelease, true);
    detach();
  };
}
