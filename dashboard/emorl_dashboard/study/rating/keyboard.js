// Keys of the rating form: a digit answers the current question, Enter saves.
//
// The keys click the page's own controls, so that mouse, touch and keyboard are one path.
// `data` holds the keys of the question containers and of the save button, each question's
// values, what became of the last click, for screen readers, which click on Save was heard last, and
// which drawing of the form this is.
//
// What is typed belongs to the item that was on screen when the typing began. Digits typed while
// the next item is on its way are dropped, and with them all that follow without a pause: an item
// gets what was typed for it or nothing, never the second digit for its first question.

const EDITABLE = 'input, textarea, select, [contenteditable="true"]';
const CHOSEN = '[role="radio"][aria-checked="true"]';
const ACTS_ON_ENTER = 'button, a, summary, [role="button"], [role="combobox"], [role="option"]';
const CONNECTION = "data-test-connection-state";
// Who types goes on within this time; who reads an item before answering takes longer.
const PAUSE_MS = 1000;

// `taking`: key of the save button whose form takes keys now; `since`: from what time on.
// `isLeft`: whether answers were sent off of which nobody knows so far what became.
// `typed`: when a digit came last; `quietUntil`: no key is taken before, as the typing is not over.
// `movedOn`: a digit was the last act, so the focus no longer says which question comes next.
// `answered`: questions answered by a digit; a fast second digit comes before they are repainted.
const state = {
  data: null, last: -1, movedOn: false, answered: new Set(), colour: "", listening: null,
  taking: "", since: 0, isLeft: () => false, typed: -Infinity, quietUntil: -Infinity, timer: 0,
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

const isPainted = () =>
  byKey(state.data.save) != null &&
  state.data.questions.every((q) => choices(q.key).length === q.values.length);

// Take keys for the item on the page as soon as it is known, painted, and nobody is typing. Tests
// wait for `data-keys`; it names the item, as React may use the element again for the next one.
function settle() {
  clearTimeout(state.timer);
  if (state.isLeft() || !isPainted()) return;
  const now = performance.now();
  if (now < state.quietUntil) {
    state.timer = setTimeout(settle, state.quietUntil - now);
    return;
  }
  const { save } = state.data;
  if (state.taking !== save) Object.assign(state, { taking: save, since: now });
  byKey(save).dataset.keys = save;
  mark();
}

function takeNoKeys() {
  state.taking = "";
  delete byKey(state.data.save)?.dataset.keys;
  mark();
}

// A key was pressed when no item took it: nor does one take the rest of what is being typed.
function drop(event) {
  event.preventDefault();
  state.quietUntil = Math.max(state.quietUntil, event.timeStamp + PAUSE_MS);
  takeNoKeys();
  settle();
}

// The answers are on their way: what is typed from now on is not meant for this item.
function onClick(event) {
  const save = byKey(state.data.save)?.querySelector("button");
  if (!save?.contains(event.target)) return;
  const { heard } = state.data;
  state.isLeft = () => state.data.heard === heard;
  state.typed = -Infinity;
  takeNoKeys();
}

function mark() {
  const here = state.taking === state.data.save ? current() : -1;
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
  requestAnimationFrame(() => {
    if (region.textContent !== words) region.textContent = words;
  });
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
    if (!isTaken(event)) return drop(event);
    event.preventDefault();
    byKey(state.data.save).querySelector("button").click();
    return;
  }
  if (event.key.toLowerCase() === "c" && state.data.comment) {
    event.preventDefault();
    openComment();
    return;
  }
  if (/^[0-9]$/.test(event.key) && state.data.questions.length > 0) onDigit(event);
}

// A key can wait in the browser while an item is painted: its own time says when it was pressed.
function isTaken(event) {
  return state.taking === state.data.save && event.timeStamp >= state.since && isPainted();
}

function onDigit(event) {
  if (!isTaken(event)) return drop(event);
  state.typed = event.timeStamp;
  const index = current();
  if (index < 0) return;
  const place = state.data.questions[index].values.indexOf(Number(event.key));
  if (place < 0) return;
  const choice = choices(state.data.questions[index].key)[place];
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
    if (isConnected() && !was) {
      // The click was heard or is lost for ever: what is drawn next says it.
      const { drawn } = state.data;
      if (state.isLeft()) state.isLeft = () => state.data.drawn === drawn;
      setTriggerValue("reconnected", String(Date.now()));
    }
    was = isConnected();
  });
  watch.observe(app, { attributes: true, attributeFilter: [CONNECTION] });
  signal.addEventListener("abort", () => watch.disconnect());
}

export default function ({ data, parentElement, setTriggerValue }) {
  const isNewItem = state.data?.save !== data.save;
  state.data = data;
  state.colour = getComputedStyle(parentElement).getPropertyValue("--st-primary-color") || "gray";
  if (isNewItem) {
    // It came without a click on Save, in the middle of typing perhaps.
    state.quietUntil = Math.max(state.quietUntil, state.typed + PAUSE_MS);
    Object.assign(state, { last: -1, movedOn: false, answered: new Set(), typed: -Infinity });
  }
  say(parentElement, data.said);
  state.listening?.abort();
  const listening = new AbortController();
  const { signal } = listening;
  state.listening = listening;
  document.addEventListener("keydown", onKey, { signal });
  document.addEventListener("click", onClick, { signal, capture: true });
  // Focus that a person moved decides again which question the next digit answers.
  document.addEventListener("focusin", () => (state.movedOn = false), { signal });
  for (const act of ["focusin", "keyup", "click"]) {
    document.addEventListener(act, () => requestAnimationFrame(mark), { signal });
  }
  // The form can be painted after this component, and an item's choices over the old ones.
  let isDue = false;
  const repainted = new MutationObserver(() => {
    if (!isDue) requestAnimationFrame(arrive);
    isDue = true;
  });
  repainted.observe(document.body, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["aria-checked"],
  });
  signal.addEventListener("abort", () => repainted.disconnect());
  askAnewAfterACut(setTriggerValue, signal);
  let isToBeShown = isNewItem;
  const arrive = () => {
    isDue = false;
    if (signal.aborted) return;
    settle();
    mark();
    const top = byKey(data.item);
    if (!isToBeShown || !top) return;
    isToBeShown = false;
    if (top.getBoundingClientRect().top < 0) top.scrollIntoView({ block: "start" });
  };
  arrive();
  return () => listening.abort();
}
