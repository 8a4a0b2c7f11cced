// A table of texts in which words can be marked: sorted by its heads, one row selected.
//
// Texts go into text nodes only: nothing in them is ever read as HTML.
//
// What somebody has just chosen holds until Python says it back; else what Python says.
const chosen = new Map();

function orderOf({ key, sort }) {
  if (chosen.get(key) === sort) chosen.delete(key);
  const text = chosen.get(key) ?? sort;
  if (!text) return null;
  const descending = text.startsWith("-");
  return { name: descending ? text.slice(1) : text, descending };
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function piece(text, mark) {
  if (mark === "same") return document.createTextNode(text);
  if (mark === "own") return element("mark", text);
  const told = `missing here: ${text}`;
  return element("span", `−${text.split(/\s+/).length}`, { class: "missing", role: "img", title: told, "aria-label": told });
}

function fill(cell, content) {
  if (Array.isArray(content.pieces)) {
    for (const [text, mark] of content.pieces) cell.append(piece(text, mark));
    return;
  }
  if (content.colour) {
    const swatch = element("span", null, { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = content.colour;
    cell.append(swatch);
  }
  cell.append(document.createTextNode(content.text));
}

function ordered(rows, columns, sort) {
  if (!sort) return rows;
  const place = columns.findIndex((column) => column.name === sort.name);
  if (place < 0) return rows;
  const value = (row) => row.cells[place].value;
  const missing = (row) => value(row) === null || value(row) === undefined;
  return [...rows].sort((one, other) => {
    if (missing(one) || missing(other)) return missing(one) - missing(other);
    const [a, b] = [value(one), value(other)];
    const order = typeof a === "number" ? a - b : String(a).localeCompare(String(b));
    return sort.descending ? -order : order;
  });
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".texts");

  const drawHead = (sort) => {
    const head = element("tr");
    for (const column of data.columns) {
      const cell = element("th", null, { scope: "col", class: column.kind });
      const isSorted = sort?.name === column.name;
      const direction = sort?.descending ? "descending" : "ascending";
      cell.setAttribute("aria-sort", isSorted ? direction : "none");
      const arrow = isSorted ? (sort.descending ? " ↓" : " ↑") : "";
      const button = element("button", `${column.name}${arrow}`, { type: "button" });
      if (column.help) button.title = column.help;
      button.addEventListener("click", () => {
        const isNumber = column.kind === "number";
        const descending = isSorted ? !sort.descending : isNumber;
        const order = `${descending ? "-" : ""}${column.name}`;
        chosen.set(data.key, order);
        draw(column.name);
        setTriggerValue("sorted", order);
      });
      cell.append(button);
      head.append(cell);
    }
    return head;
  };
  const drawRow = (row) => {
    const isSelected = row.id === data.selected;
    const line = element("tr", null, { class: isSelected ? "selected" : "" });
    data.columns.forEach((column, place) => {
      const cell = element("td", null, { class: column.kind, "data-label": column.name });
      const content = row.cells[place];
      if (place === 0 && data.selectable) {
        const button = element("button", null, { type: "button", "aria-pressed": isSelected });
        button.setAttribute("aria-label", `${data.action}: ${content.text}`);
        fill(button, content);
        cell.append(button);
      } else {
        fill(cell, content);
      }
      line.append(cell);
    });
    if (data.selectable) {
      line.classList.add("selectable");
      line.addEventListener("click", () => {
        // Somebody who marks text to copy it does not choose a row.
        if (!isSelected && !window.getSelection()?.toString()) setTriggerValue("picked", row.id);
      });
    }
    return line;
  };
  const draw = (focus) => {
    const sort = orderOf(data);
    const table = element("table");
    table.append(element("caption", data.label));
    const head = element("thead");
    head.append(drawHead(sort));
    const body = element("tbody");
    body.append(...ordered(data.rows, data.columns, sort).map(drawRow));
    table.append(head, body);
    const top = root.scrollTop;
    root.replaceChildren(table);
    root.scrollTop = top;
    root.setAttribute("aria-label", data.label);
    if (focus) {
      const place = data.columns.findIndex((column) => column.name === focus);
      table.querySelectorAll("th button")[place]?.focus();
    }
  };
  draw();
}
