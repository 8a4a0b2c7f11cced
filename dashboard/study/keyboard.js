// Keys of the rating form: a digit answers the current question, Enter saves.
//
// The keys click the page's own controls, so that mouse, touch and keyboard are one path.
// `data` holds the keys of the question containers and of the save button, each question's
// values, and what became of the last click, for screen readers.

const EDITABLE = 'input, textarea, select, [contenteditable="true"]';
const CHOSEN = '[role="radio"][aria-checked="true"]';
const ACTS_ON_ENTER = 'button, a, summary, [role="button"], [role="combobox"], [role="option"]';
const CONNECTION = "data-test-connection-state";

// `movedOn`: a digit was the last act, so the focus no longer says which question comes next.
// `answered`: questions answered by a digit; a fast second digit comes before they are repainted.
const state = {
  data: null, last: -1, movedOn: false, answered: new Set(), colour: "", listening: null,
};

const byKey = (key) => document.querySelector(`.st-key-${CSS.escape(key)}`);
const choices = (key) => [...(byKey(key)?.querySelectorAll('[role="radio"]') ?? [])];
const isAnswered = (key) => byKey(key)?.querySelector(CHOSEN) != null;

// The question with the keyboard focus, else the first without an answer, else the last answered.
function current() {
  const focused = state.data.questions.findIndex(
    (q) => byKey(q.key)?.querySelector(":focus-visible") != null,
  );
  if (focused >= 0 && !state.movedOn) return focused;
  const open = state.data.questions.findIndex(
    (q, index) => !state.answered.has(index) && !isAnswered(q.key),
  );
  return open >= 0 ? open : state.last;
}

function mark() {
  const here = current();
  state.data.questions.forEach((question, index) => {
    const element = byKey(question.key);
    if (!element) return;
    Object.assign(element.style, {
      borderLeft: `3px solid ${index === here ? state.colour : "transparent"}`,
      paddingLeft: "9px",
      marginLeft: "-12px",
      width: "calc(100% + 12px)",
      maxWidth: "none",
    });
  });
}

// A live region: saving changes the page without moving the focus, so a screen reader must be told.
function say(parent, words) {
  let region = parent.querySelector('[role="status"]');
  if (!region) {
    region = document.createElement("div");
    region.setAttribute("role", "status");
    region.style.cssText = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)";
    parent.append(region);
  }
  // A region is heard when its words change, not when it comes with them.
  requestAnimationFrame(() => (region.textContent = words));
}

// The field stands in a folded part of the form: unfold it first.
function openComment() {
  const field = () => byKey(state.data.comment)?.querySelector("textarea");
  const folded = byKey(state.data.comment)?.closest("details");
  if (folded && !folded.open) folded.querySelector("summary").click();
  // While it unfolds it takes no focus: ask until it does, for a second at most.
  let frames = 60;
  const focus = () => {
    const area = field();
    area?.focus();
    if (document.activeElement !== area && frames-- > 0) requestAnimationFrame(focus);
  };
  focus();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest?.(EDITABLE)) return;
  if (event.key === "Enter") {
    // A button that holds the focus does its own work; a choice already made has none to do.
    if (event.target.closest?.(ACTS_ON_ENTER) && !event.target.closest(CHOSEN)) return;
    event.preventDefault();
    byKey(state.data.save)?.querySelector("button")?.click();
    return;
  }
  if (event.key.toLowerCase() === "c" && state.data.comment) {
    event.preventDefault();
    openComment();
    return;
  }
  const index = current();
  if (index < 0) return;
  const place = state.data.questions[index].values.indexOf(Number(event.key));
  if (!/^[0-9]$/.test(event.key) || place < 0) return;
  const choice = choices(state.data.questions[index].key)[place];
  if (!choice) return;
  event.preventDefault();
  state.last = index;
  state.movedOn = true;
  state.answered.add(index);
  choice.click();
}

// Of an answer that was stored while the network was cut the page knows nothing, and it still shows
// that item: once the connection is back, ask for the item that is due.
function askAnewAfterACut(setTriggerValue, signal) {
  const app = document.querySelector('[data-testid="stApp"]');
  if (!app) return;
  const isConnected = () => app.getAttribute(CONNECTION) === "CONNECTED";
  let was = isConnected();
  const watch = new MutationObserver(() => {
    if (isConnected() && !was) setTriggerValue("reconnected", String(Date.now()));
    was = isConnected();
  });
  watch.observe(app, { attributes: true, attributeFilter: [CONNECTION] });
  signal.addEventListener("abort", () => watch.disconnect());
}

export default function ({ data, parentElement, setTriggerValue }) {
  const isNewItem = state.data?.save !== data.save;
  state.data = data;
  state.colour = getComputedStyle(parentElement).getPropertyValue("--st-primary-color") || "gray";
  if (isNewItem) Object.assign(state, { last: -1, movedOn: false, answered: new Set() });
  say(parentElement, data.said);
  state.listening?.abort();
  const listening = new AbortController();
  const { signal } = listening;
  state.listening = listening;
  document.addEventListener("keydown", onKey, { signal });
  // Focus that a person moved decides again which question the next digit answers.
  document.addEventListener("focusin", () => (state.movedOn = false), { signal });
  for (const act of ["focusin", "keyup", "click"]) {
    document.addEventListener(act, () => requestAnimationFrame(mark), { signal });
  }
  // A new item's choices are painted over the old ones: what is answered shows only afterwards.
  const repainted = new MutationObserver(() => requestAnimationFrame(mark));
  repainted.observe(document.body, {
    subtree: true, attributes: true, attributeFilter: ["aria-checked"],
  });
  signal.addEventListener("abort", () => repainted.disconnect());
  askAnewAfterACut(setTriggerValue, signal);
  // The form can be painted after this component: look for it for a second at most.
  let frames = 60;
  const arrive = () => {
    if (signal.aborted) return;
    const save = byKey(data.save);
    if (!save && frames-- > 0) {
      requestAnimationFrame(arrive);
      return;
    }
    mark();
    if (save) save.dataset.keys = "ready";
    const top = byKey(data.item);
    if (isNewItem && top && top.getBoundingClientRect().top < 0) {
      top.scrollIntoView({ block: "start" });
    }
  };
  arrive();
  return () => listening.abort();
}
