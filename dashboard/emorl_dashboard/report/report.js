// Draws every figure in the inks of the reader's theme, and again when the theme changes.
"use strict";
const figures = JSON.parse(document.getElementById("figures").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function draw() {
  const theme = dark.matches ? "dark" : "light";
  figures.forEach((themes, place) => {
    const { data, layout } = themes[theme];
    const config = { responsive: true, displaylogo: false };
    Plotly.react(`figure-${place}`, data, { ...layout, autosize: true }, config);
  });
  document.body.dataset.drawn = theme;
}
dark.addEventListener("change", draw);
draw();
