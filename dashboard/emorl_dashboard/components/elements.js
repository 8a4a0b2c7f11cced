// What the components' scripts build their parts with.

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children); // texts become text nodes: nothing generated is ever HTML
  return element;
}

// A number with its sign, to three decimals; `none` stands for what rounds to no difference.
function signed(number, none = "0.000") {
  if (Math.abs(number) < 0.0005) return none;
  return `${number > 0 ? "+" : "−"}${Math.abs(number).toFixed(3)}`;
}
