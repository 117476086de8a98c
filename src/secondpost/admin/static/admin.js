// Comforts on top of pages that work without any of this: times in the reader's zone, Copy, and the keyboard.

function tellTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.valueOf())) continue;
    const clock = "clock" in time.dataset;
    time.title = clock ? at.toLocaleString() : time.textContent;
    const style = clock ? { hour: "2-digit", minute: "2-digit" } : { dateStyle: "medium", timeStyle: "medium" };
    if (clock && Math.abs(Date.now() - at) > 864e5) Object.assign(style, { month: "short", day: "numeric" });
    time.textContent = at.toLocaleString(undefined, style);
  }
}
tellTimes(document);

// A page that keeps itself fresh: our own server sends the part anew when it has changed; only what differs is replaced.
const live = document.querySelector("[data-live]");
if (live) {
  const policy = globalThis.trustedTypes?.createPolicy("live", { createHTML: (text) => text });
  const seen = new Map();
  let source;
  const show = (event) => {
    const text = JSON.parse(event.data);
    const holder = document.createElement("template");
    holder.innerHTML = policy ? policy.createHTML(text) : text;
    for (const part of holder.content.children) {
      const old = document.getElementById(part.id);
      const same = seen.get(part.id) === part.outerHTML;
      seen.set(part.id, part.outerHTML);
      if (!old || same) continue;
      const href = old.contains(document.activeElement) && document.activeElement.getAttribute("href");
      part.querySelector("details")?.toggleAttribute("open", Boolean(old.querySelector("details[open]")));
      tellTimes(part);
      old.replaceWith(part);
      if (href) part.querySelector(`[href="${CSS.escape(href)}"]`)?.focus();
    }
  };
  const failed = () => {
    // Closed for good: the session is over, or too many watch. Loading the page tells which.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 15_000);
  };
  const watch = () => {
    source?.close();
    if (document.hidden) return; // a browser has few lines to us: pages that nobody sees take none
    source = new EventSource(live.dataset.live);
    source.addEventListener("message", show);
    source.addEventListener("error", failed);
  };
  document.addEventListener("visibilitychange", watch);
  watch();
}

// A form is sent once, however often its button is pressed. Downloads leave the page as it is, and come as often as asked.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const where = event.submitter?.getAttribute("formaction") ?? form.getAttribute("action") ?? "";
  if (form.getAttribute("method") !== "post" || where.includes("export")) return;
  if (form.dataset.sent) event.preventDefault();
  else form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 10_000);
});

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break; // only on https and on localhost
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

for (const all of document.querySelectorAll("[data-all]")) {
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of all.form.querySelectorAll(`[name="${all.dataset.all}"]`)) box.checked = all.checked;
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

const links = [...document.querySelectorAll("a[data-key]")].filter((link) => link.dataset.key);
let prefix = false;

function help() {
  const dialog = document.createElement("dialog");
  const title = document.createElement("h2");
  title.textContent = title.id = "Keyboard";
  dialog.setAttribute("aria-labelledby", title.id);
  const close = document.createElement("button");
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  const list = document.createElement("ul");
  const lines = [["/", "search"], ["?", "this help"], ...links.map((link) => [`g ${link.dataset.key}`, link.textContent])];
  for (const [keys, text] of lines) {
    const item = document.createElement("li");
    const key = document.createElement("kbd");
    key.textContent = keys;
    item.append(key, ` ${text}`);
    list.append(item);
  }
  dialog.append(title, list, close);
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

// Smart Routing: rules and groups come and go without a round trip; what is sent is the same as without this.
const groups = document.querySelector("[data-groups]");

function fit(rule) {
  const [property, operator] = rule.querySelectorAll("select");
  const chosen = property.selectedOptions[0];
  const kind = "number" in chosen.dataset ? "number" : "text";
  for (const option of operator.options) option.hidden = option.disabled = !["both", kind].includes(option.dataset.for);
  if (operator.selectedOptions[0].disabled) operator.value = "is";
  rule.querySelector("input").placeholder = chosen.dataset.hint ?? "";
}

function fresh(rule) {
  const copy = rule.cloneNode(true);
  copy.querySelector(".error")?.remove();
  const input = copy.querySelector("input");
  input.value = "";
  input.removeAttribute("aria-invalid");
  for (const select of copy.querySelectorAll("select")) select.selectedIndex = 0;
  fit(copy);
  return copy;
}

function addGroup(last) {
  const group = last.cloneNode(true);
  const number = Number(last.dataset.group) + 1;
  group.dataset.group = number;
  group.querySelector("legend").textContent = `or group ${number + 1}`;
  const [rule, ...rest] = group.querySelectorAll(".rule");
  for (const other of rest) other.remove();
  rule.replaceWith(fresh(rule));
  for (const field of group.querySelectorAll("[name*='.']")) field.name = field.name.replace(/\d+$/, number);
  last.after(group);
  return group;
}

if (groups?.querySelector(".rule")) {
  const form = groups.closest("form");
  for (const rule of groups.querySelectorAll(".rule")) fit(rule);
  groups.addEventListener("change", (event) => event.target.name.startsWith("property.") && fit(event.target.closest(".rule")));
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const group = button?.closest(".group");
    let made;
    if (button && "and" in button.dataset) {
      made = fresh(group.querySelector(".rule"));
      button.parentElement.before(made);
    } else if (button && "addGroup" in button.dataset) made = addGroup(groups.lastElementChild);
    else if (button && "remove" in button.dataset) {
      if (groups.querySelectorAll(".rule").length === 1) {
        button.value = "remove.0.0";
        return; // the last one is the server's, as is every other button
      }
      button.closest(".rule").remove();
      if (!group.querySelector(".rule")) group.remove();
    } else return;
    event.preventDefault();
    made?.querySelector("select").focus();
  });
}

// The wizard waits for the first message; without this there is a link to look again.
const wait = document.querySelector("[data-wait]");
if (wait) {
  setInterval(async () => {
    if (!document.hidden && (await (await fetch(wait.dataset.wait)).text()) === "yes") location.reload();
  }, 2000);
}
