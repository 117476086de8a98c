// Comforts on top of pages that work without any of this: times in the reader's zone, Copy, and the keyboard.

for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.valueOf())) {
    time.title = time.textContent;
    time.textContent = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break; // only on https and on localhost
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

const links = [...document.querySelectorAll("a[data-key]")].filter((link) => link.dataset.key);
let prefix = false;

function help() {
  const dialog = document.createElement("dialog");
  const title = document.createElement("h2");
  title.textContent = "Keyboard";
  const list = document.createElement("ul");
  const lines = [["/", "search"], ["?", "this help"], ...links.map((link) => [`g ${link.dataset.key}`, link.textContent])];
  for (const [keys, text] of lines) {
    const item = document.createElement("li");
    const key = document.createElement("kbd");
    key.textContent = keys;
    item.append(key, ` ${text}`);
    list.append(item);
  }
  dialog.append(title, list);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=radio],[type=checkbox]),textarea,select,dialog")) return;
  const found = prefix && links.find((link) => link.dataset.key === event.key);
  prefix = event.key === "g";
  if (found) found.click();
  else if (event.key === "?") help();
  else if (event.key === "/") {
    const search = document.querySelector("[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});
