// Copies the address of the view; the run is named also where the address leaves it open.
const SAID_MS = 2500;
const LABEL = "Copy link";

async function copyLink(button, run) {
  const address = new URL(window.location.href);
  if (!address.searchParams.has("run")) address.searchParams.set("run", run);
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(address.href);
  } catch {
    isCopied = false; // refused, or the page is not served over a safe connection
  }
  button.textContent = isCopied ? "Link copied" : "Copy it from the address bar";
  setTimeout(() => {
    button.textContent = LABEL;
  }, SAID_MS);
}

export default function ({ data, parentElement }) {
  let button = parentElement.querySelector("button");
  if (!button) {
    button = make("button", { type: "button", "aria-live": "polite" }, LABEL);
    button.title = "The link opens what you see: run, weights, prompt and every choice made here";
    parentElement.append(button);
  }
  button.onclick = () => copyLink(button, data.run);
}
