// A response token by token: underlined in the colour and pattern of the objective that decided
// it; hovered or focused, a token tells the exact split of its margin over the runner-up.

const strips = new WeakMap();
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
const PATTERNS = ["solid", "dashed", "double", "dotted", "wavy"];

function inkOf(objective, place) {
  const pattern = PATTERNS[place % PATTERNS.length];
  return `--objective: var(--st-${objective.colour}-text-color); --pattern: ${pattern}`;
}

function said(text) {
  return text === "" ? "end of the response" : `“${text.trim() || text}”`;
}

class Strip {
  constructor(root) {
    this.words = make("div", { class: "words", role: "group", dir: "auto" });
    this.words.setAttribute("aria-label", "Tokens; arrow keys move from one to the next");
    this.legend = make("p", { class: "legend" });
    this.split = make("div", { class: "split", role: "status" });
    // Beside the styles, which Streamlit keeps in the root too.
    root.append(make("div", { class: "strip" }, this.legend, this.words, this.split));
    this.words.addEventListener("keydown", (event) => this.onKey(event));
  }

  take(data) {
    const text = JSON.stringify(data);
    if (text === this.text) return;
    this.text = text;
    this.data = data;
    this.legend.replaceChildren(
      "decided by ",
      ...data.objectives.map((objective, place) =>
        make("span", { class: "who", style: inkOf(objective, place) }, objective.name),
      ),
    );
    this.buttons = data.tokens.map((token, place) => this.button(token, place));
    // Spaces stay between the buttons, so that lines break where the text's would.
    this.words.replaceChildren(
      ...this.buttons.flatMap((button, place) =>
        data.tokens[place].text.startsWith(" ") ? [" ", button] : [button],
      ),
    );
    this.choose(0);
  }

  button(token, place) {
    const objective = this.data.objectives[token.decidedBy];
    const shown = token.text === "" ? "end" : token.text.trim() || token.text;
    const button = make(
      "button",
      {
        type: "button",
        class: token.text === "" ? "token end" : "token",
        style: inkOf(objective, token.decidedBy),
        "aria-label": `${shown}, decided by ${objective.name}`,
      },
      shown,
    );
    for (const start of ["pointerenter", "focus", "click"]) {
      button.addEventListener(start, () => this.choose(place));
    }
    return button;
  }

  onKey(event) {
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const last = this.buttons.length - 1;
    this.buttons[Math.min(Math.max(this.chosen + step, 0), last)].focus();
  }

  choose(place) {
    const token = this.data.tokens[place];
    if (!token) {
      this.split.replaceChildren();
      return;
    }
    this.chosen = place;
    this.buttons.forEach((button, i) => {
      button.tabIndex = i === place ? 0 : -1;
      button.classList.toggle("chosen", i === place);
    });
    const margin = token.parts.reduce((sum, part) => sum + part, 0);
    const widest = Math.max(...token.parts.map(Math.abs), Number.MIN_VALUE);
    this.split.replaceChildren(
      make(
        "p",
        {},
        make("strong", {}, said(token.text)),
        ` is ahead of ${said(token.runnerUp)} by ${margin.toFixed(3)} in logit:`,
      ),
      ...this.data.objectives.map((objective, i) =>
        part(objective, i, token.parts[i], widest, token.alone[i]),
      ),
    );
  }
}

function part(objective, place, amount, widest, alone) {
  return make(
    "div",
    { class: "part", style: `${inkOf(objective, place)}; --share: ${Math.abs(amount) / widest}` },
    make("span", { class: "who" }, objective.name),
    make(
      "span",
      { class: `bar ${amount < 0 ? "against" : "for"}`, "aria-hidden": "true" },
      make("span", { class: "at" }),
    ),
    make("span", { class: "amount" }, signed(amount)),
    make("span", { class: "alone" }, `alone: ${said(alone)}`),
  );
}

export default function (component) {
  const { parentElement, data } = component;
  if (!strips.has(parentElement)) strips.set(parentElement, new Strip(parentElement));
  strips.get(parentElement).take(data);
}
