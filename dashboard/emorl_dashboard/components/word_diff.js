// Two texts compared word by word. Pure: knows no page.

// Beyond that many pairs of words, texts without a common beginning and end are told as replaced.
const MOST_WORD_PAIRS = 250_000;

function wordsOf(text) {
  return text.split(/\s+/u).filter(Boolean);
}

// Returns [{kind: "same" | "removed" | "added", text}, ...]: the longest common subsequence of
// words, with neighbours of one kind joined by spaces. `before` is made of what is same and
// removed, `after` of what is same and added.
function compareWords(before, after) {
  const [old, now] = [wordsOf(before), wordsOf(after)];
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let [oldEnd, nowEnd] = [old.length, now.length];
  while (oldEnd > start && nowEnd > start && old[oldEnd - 1] === now[nowEnd - 1]) {
    oldEnd -= 1;
    nowEnd -= 1;
  }
  return joined([
    ...old.slice(0, start).map((text) => ({ kind: "same", text })),
    ...middle(old.slice(start, oldEnd), now.slice(start, nowEnd)),
    ...old.slice(oldEnd).map((text) => ({ kind: "same", text })),
  ]);
}

function middle(old, now) {
  const removed = (text) => ({ kind: "removed", text });
  const added = (text) => ({ kind: "added", text });
  if (old.length * now.length > MOST_WORD_PAIRS) return [...old.map(removed), ...now.map(added)];
  // longest[i][j]: length of the longest common subsequence of old[i..] and now[j..].
  const longest = Array.from({ length: old.length + 1 }, () => new Uint32Array(now.length + 1));
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      longest[i][j] =
        old[i] === now[j]
          ? longest[i + 1][j + 1] + 1
          : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const parts = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      parts.push({ kind: "same", text: old[i] });
      i += 1;
      j += 1;
    } else if (j >= now.length || (i < old.length && longest[i + 1][j] >= longest[i][j + 1])) {
      parts.push(removed(old[i++]));
    } else {
      parts.push(added(now[j++]));
    }
  }
  return parts;
}

function joined(parts) {
  const found = [];
  for (const { kind, text } of parts) {
    const last = found.at(-1);
    if (last?.kind === kind) last.text += ` ${text}`;
    else found.push({ kind, text });
  }
  return found;
}
