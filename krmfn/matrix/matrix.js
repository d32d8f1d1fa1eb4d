"use strict";
// Search, filters, keys, details and the theme. Without it everything stands on the page.
(() => {
  const root = document.documentElement;
  const get = (id) => document.getElementById(id);
  const query = get("query"), status = get("status"), panel = get("panel"), shown = get("shown");
  const rows = [...document.querySelectorAll("tbody tr[data-tags]")];
  const filters = [...document.querySelectorAll(".filter")];
  const cells = rows.map((row) => [...row.querySelectorAll(".cell")]);
  const detail = (cell) => document.querySelector(cell.getAttribute("href"));
  const texts = rows.map((row, i) =>
    [row, ...cells[i].map(detail)].map((one) => one.textContent).join(" ").toLowerCase());
  let current = null;

  root.classList.add("js");

  function apply() {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const tags = filters.filter((f) => f.getAttribute("aria-pressed") === "true").map((f) => f.dataset.tag);
    let count = 0;
    rows.forEach((row, i) => {
      const own = row.dataset.tags.split(" ");
      const fits = words.every((word) => texts[i].includes(word)) &&
        (tags.length === 0 || tags.some((tag) => own.includes(tag)));
      row.hidden = !fits;
      count += fits;
    });
    status.textContent = `${count} of ${rows.length} Secrets`;
    get("nothing").hidden = count > 0 || rows.length === 0;
    if (current && current.closest("tr").hidden) { hide(); }
    rove();
  }

  function clear() {
    query.value = "";
    filters.forEach((f) => f.setAttribute("aria-pressed", "false"));
    apply();
  }

  // One cell takes part in the order of Tab; arrows move it.
  function rove(to) {
    const visible = cells.flat().filter((cell) => !cell.closest("tr").hidden);
    const old = visible.find((cell) => cell.tabIndex === 0);
    const chosen = to || (current && visible.includes(current) ? current : old) || visible[0];
    cells.flat().forEach((cell) => { cell.tabIndex = cell === chosen ? 0 : -1; });
  }

  function show(cell) {
    if (current) { current.removeAttribute("aria-current"); }
    current = cell;
    cell.setAttribute("aria-current", "true");
    shown.replaceChildren(...[...detail(cell).childNodes].map((node) => node.cloneNode(true)));
    panel.hidden = false;
    rove(cell);
    reveal(cell);
  }

  // Unlike focus(), this heeds what sticks to the edges.
  function reveal(cell) {
    const scroll = document.querySelector(".scroll");
    scroll.style.scrollPaddingTop = `${document.querySelector("thead").offsetHeight}px`;
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function hide() {
    const inside = panel.contains(document.activeElement);
    panel.hidden = true;
    if (current) {
      current.removeAttribute("aria-current");
      if (inside) { current.focus(); }
    }
    current = null;
  }

  function move(cell, down, right) {
    const visible = cells.filter((_, i) => !rows[i].hidden);
    const at = visible.findIndex((one) => one.includes(cell));
    const line = visible[at + down];
    const next = line && line[visible[at].indexOf(cell) + right];
    if (!next) { return; }
    rove(next);
    next.focus({ preventScroll: true });
    reveal(next);
    if (current) { show(next); }
  }

  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) { return; }
    const cell = event.target.closest(".cell");
    if (event.key === "/" && event.target !== query) {
      query.focus();
      query.select();
    } else if (event.key === "Escape") {
      if (panel.hidden || event.target === query) { clear(); } else { hide(); }
    } else if (cell && event.key in steps) {
      move(cell, ...steps[event.key]);
    } else if (cell && (event.key === "Home" || event.key === "End")) {
      const line = cells.find((one) => one.includes(cell));
      const wanted = event.key === "Home" ? line[0] : line[line.length - 1];
      move(cell, 0, line.indexOf(wanted) - line.indexOf(cell));
    } else {
      return;
    }
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (!cell) { return; }
    event.preventDefault();
    if (cell === current) { hide(); } else { show(cell); cell.focus(); }
  });
  query.addEventListener("input", apply);
  query.form.addEventListener("submit", (event) => event.preventDefault());
  filters.forEach((filter) => filter.addEventListener("click", () => {
    filter.setAttribute("aria-pressed", String(filter.getAttribute("aria-pressed") !== "true"));
    apply();
  }));
  get("clear").addEventListener("click", () => { clear(); query.focus(); });
  get("close").addEventListener("click", hide);

  const theme = get("theme"), prefers = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme || (prefers.matches ? "dark" : "light")) === "dark";
  const tell = () => theme.setAttribute("aria-pressed", String(dark()));
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; tell(); });
  prefers.addEventListener("change", tell);
  tell();
  rove();
})();
