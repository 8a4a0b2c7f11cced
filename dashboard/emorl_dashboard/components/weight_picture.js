// The view as a picture: prompt, answer, weights and scores, drawn in the page's own colours.

const PICTURE = { width: 900, margin: 40, scale: 2, line: 28 };

function savePicture(sliders) {
  drawPicture(sliders).toBlob((blob) => {
    const address = URL.createObjectURL(blob);
    make("a", { href: address, download: `${sliders.data.file}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(address), SAID_MS);
  });
}

// Lays the picture out twice: once to learn its height, once to draw it.
function drawPicture(sliders) {
  const canvas = make("canvas");
  const height = layPicture(canvas.getContext("2d"), sliders);
  canvas.width = PICTURE.width * PICTURE.scale;
  canvas.height = height * PICTURE.scale;
  const pen = canvas.getContext("2d");
  pen.scale(PICTURE.scale, PICTURE.scale);
  pen.fillStyle = colourOf(sliders.root, "--st-background-color");
  pen.fillRect(0, 0, PICTURE.width, height);
  layPicture(pen, sliders);
  return canvas;
}

// Returns the height in pixels.
function layPicture(pen, sliders) {
  const { data, root, weights } = sliders;
  const response = sliders.responseAt(weights);
  const ink = colourOf(root, "--st-text-color");
  const family = colourOf(root, "--st-font");
  let y = PICTURE.margin;
  const write = (text, { size = 18, style = "", colour = ink }) => {
    pen.font = `${style} ${size}px ${family}`;
    pen.fillStyle = colour;
    for (const line of brokenLines(pen, text, PICTURE.width - 2 * PICTURE.margin)) {
      y += size * 1.45;
      pen.fillText(line, PICTURE.margin, y);
    }
  };
  write(data.prompt, { style: "italic" });
  y += PICTURE.line / 2;
  write(response.text || "…", { size: 24 });
  y += PICTURE.line / 2;
  data.objectives.forEach(({ name, colour }, place) => {
    const score = response.scores ? response.scores[place].toFixed(3) : "–";
    write(`${name}: weight ${rounded(weights[place], KEPT_DIGITS)}, score ${score}`, {
      colour: colourOf(root, `--st-${colour}-text-color`),
    });
  });
  if (response.scores) write(`mean reward ${meanOf(response.scores).toFixed(3)}`, {});
  y += PICTURE.line / 2;
  write(data.source, { size: 13 });
  return y + PICTURE.margin;
}

function brokenLines(pen, text, width) {
  const lines = [""];
  for (const word of wordsOf(text)) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (pen.measureText(longer).width <= width || !lines.at(-1)) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function colourOf(root, name) {
  return getComputedStyle(root.host ?? root).getPropertyValue(name).trim();
}
