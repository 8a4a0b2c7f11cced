// The answer beside the sliders: text, scores, the pinned reference, and what can be taken away.

const HOW_KNOWN = {
  cell: "looked up in the atlas: exactly what decoding gives",
  answer: "decoded at these weights",
  open: "only its beginning is known: the atlas' budget ended here",
  zero: "",
};

function buildAnswer(sliders) {
  const status = make("p", { class: "note status", role: "status" });
  const text = make("p", { class: "text answer-text", dir: "auto", "aria-live": "polite" });
  const marks = make(
    "p",
    { class: "legend marks" },
    "beside the pinned response:",
    make("ins", {}, "new"),
    make("del", {}, "gone"),
  );
  const scores = make("div", { class: "scores" });
  const lines = ["mean", ...sliders.data.objectives.map(({ name }) => name)].map((name, place) =>
    buildScore(name, sliders.data.objectives[place - 1]?.colour),
  );
  scores.append(...lines.map((line) => line.element));
  const pin = make("button", { type: "button" }, "Pin this response");
  const picture = make("button", { type: "button" }, "Save picture");
  const reference = buildReference(sliders);
  pin.addEventListener("click", () => sliders.pin([...sliders.weights]));
  picture.addEventListener("click", () => savePicture(sliders));
  const element = make(
    "section",
    { class: "answer", "aria-label": "The ensemble's answer" },
    // By itself, so that on a narrow page it stays beside whatever the hand moves.
    make("div", { class: "said" }, make("p", { class: "heading" }, "The ensemble answers"), text),
    marks,
    status,
    scores,
    make("div", { class: "tools" }, pin, picture),
    reference.element,
  );
  return {
    element,
    // Keeps room for the longest answer, so that nothing below jumps while the hand moves.
    reserve(atlas) {
      text.style.minHeight = "";
      if (!atlas) return;
      const before = [...text.childNodes];
      const longest = atlas.cells.reduce((a, b) => (b.text.length > a.text.length ? b : a));
      text.textContent = longest.text;
      text.style.minHeight = `${Math.min(text.offsetHeight, window.innerHeight / 2)}px`;
      text.replaceChildren(...before);
    },
    show(response) {
      const pinned = sliders.reference ? sliders.responseAt(sliders.reference) : null;
      marks.hidden = !showText(text, response, pinned, sliders.data);
      element.dataset.weights = weightsText(sliders.weights);
      element.dataset.kind = response.kind;
      text.setAttribute("aria-busy", sliders.isDragging);
      setText(status, statusOf(response, sliders));
      lines.forEach((line, place) => line.show(scoreOf(response, place), scoreOf(pinned, place)));
      pin.disabled = !response.scores;
      reference.show(pinned, response);
    },
  };
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Whole sentences for each state; a text that belongs to other weights is never left standing.
function statusOf(response, sliders) {
  const { problem, canAsk } = sliders.data;
  if (response.kind in HOW_KNOWN && response.kind !== "open") return HOW_KNOWN[response.kind];
  const known = response.kind === "open" ? `${HOW_KNOWN.open}. ` : "";
  if (!canAsk) return `${known}${problem}`;
  if (sliders.isDragging) return `${known}let go to ask the models`;
  return problem || `${known}asking the models at ${weightsText(sliders.weights)} …`;
}

// Returns whether the words that the pinned response lacks are marked.
function showText(element, response, pinned, { problem }) {
  element.classList.toggle("unknown", !["cell", "answer"].includes(response.kind));
  const shown = response.kind === "open" ? `${response.text} …` : response.text;
  const isCompared = Boolean(
    pinned?.scores && response.scores && pinned.text !== response.text,
  );
  const key = `${isCompared ? pinned.text : ""}\n${response.kind}\n${shown}`;
  if (element.dataset.key === key) return isCompared;
  element.dataset.key = key;
  if (isCompared) showWords(element, pinned.text, shown, "added");
  else element.textContent = shown || (response.scores ? "(no words)" : problem ? "" : "…");
  return isCompared;
}

function scoreOf(response, place) {
  if (!response?.scores) return null;
  return place === 0 ? meanOf(response.scores) : response.scores[place - 1];
}

function buildScore(name, colour) {
  const value = make("span", { class: "value" });
  const delta = make("span", { class: "delta" });
  const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("span", { class: "at" }));
  const ink = colour ? `var(--st-${colour}-text-color)` : "var(--st-text-color)";
  const element = make(
    "div",
    { class: "score", style: `--objective: ${ink}` },
    make("span", { class: "name" }, make("span", { class: "mark" }), name),
    bar,
    value,
    delta,
  );
  return {
    element,
    show(score, pinned) {
      setText(value, score === null ? "–" : score.toFixed(3));
      setText(delta, score === null || pinned === null ? "" : signed(score - pinned, "="));
      bar.style.setProperty("--score", score ?? 0);
      bar.style.setProperty("--pinned", pinned ?? 0);
      bar.classList.toggle("compared", pinned !== null);
    },
  };
}

function buildReference(sliders) {
  const heading = make("p", { class: "heading" });
  const text = make("p", { class: "text reference-text", dir: "auto" });
  const back = make("button", { type: "button" }, "Go there");
  const unpin = make("button", { type: "button" }, "Unpin");
  back.addEventListener("click", () => {
    sliders.moveTo(sliders.reference);
    sliders.release();
  });
  unpin.addEventListener("click", () => sliders.pin(null));
  const element = make(
    "section",
    { class: "reference", "aria-label": "Pinned reference" },
    heading,
    text,
    make("div", { class: "tools" }, back, unpin),
  );
  return {
    element,
    show(pinned, response) {
      element.hidden = !pinned;
      if (!pinned) return;
      setText(heading, `Pinned at ${weightsText(sliders.reference)}`);
      if (pinned.scores && response.scores) {
        showWords(text, pinned.text, response.text, "removed");
      } else {
        setText(text, pinned.text || "…");
      }
    },
  };
}

// Writes `text` into `element`, with the words that `before` lacks (or, for "removed", that
// `after` lacks) marked.
function showWords(element, before, after, marked) {
  const tag = marked === "added" ? "ins" : "del";
  const parts = compareWords(before, after).filter(({ kind }) => kind === "same" || kind === marked);
  element.replaceChildren(
    ...parts.flatMap(({ kind, text }, place) => [
      ...(place ? [" "] : []),
      kind === "same" ? text : make(tag, {}, text),
    ]),
  );
}
