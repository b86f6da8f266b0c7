// The filter bar: texts apply on Enter or when left, choices at once; a badge counts what is on.

const TITLES = { source: "Source", actor_type: "Actor type", action: "Action", event_type_raw: "Type", category: "Category", entity_type: "Entity type", outcome: "Status", classes: "Critical", finding: "Finding",
  text: "Search descriptions", actor: "Actor (name, e-mail or id)", detail: "Detailed action", entity: "Entity id, or type:id", ip: "IP address or network", correlation: "Correlation id", since: "From", until: "To" };

class Filters {
  constructor(page) {
    this.page = page;
    this.inputs = {};
    this.menus = {};
    const bar = byId("filters");
    for (const name of TEXTS) bar.append(this.text(name));
    for (const name of CHOICES) {
      const options = this.options(name);
      if (options.length > 1 || (name === "finding" && options.length)) bar.append(this.menu(name, options));
    }
    byId("clear").addEventListener("click", () => { this.page.focus = "#toggle-filters"; this.page.go(fresh()); });
    byId("toggle-filters").addEventListener("click", () => this.reveal(byId("filters").hidden));
    byId("apart").addEventListener("change", (event) => this.page.go({ apart: !event.target.checked }));
    document.addEventListener("click", (event) => { for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false; });
    document.addEventListener("keydown", (event) => {
      const menu = event.key === "Escape" && event.target.closest("details.menu[open]");
      if (menu) { menu.open = false; menu.firstChild.focus(); }
    });
  }
  reveal(open) {
    byId("filters").hidden = !open;
    byId("toggle-filters").setAttribute("aria-expanded", String(open));
  }
  options(name) {
    const { log } = this.page;
    if (name === "finding") return log.facts.findings.map((one) => [one.id, `${one.title} · ${one.subject}`]);
    const column = log.columns[name];
    const values = name === "classes" ? [...new Set(column.values.flatMap((value) => JSON.parse(value)))] : column.values.map((value) => value ?? "");
    const found = values.sort(compared).map((value) => [value, value === "" ? "not named" : words(value)]);
    return name === "actor_type" && log.facts.hidden.length ? [["all", "all"], ...found] : found;
  }
  text(name) {
    const time = name === "since" || name === "until";
    const input = h("input", { type: "text", id: `f-${name}`, autocomplete: "off", spellcheck: "false", list: name === "detail" ? "details" : null,
      placeholder: time ? "2026-10-05 or 2026-10-05 08:00" : null, "aria-describedby": time ? "zone" : null });
    input.addEventListener("change", () => this.typed(name, input));
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); this.typed(name, input); } });
    this.inputs[name] = input;
    const known = name === "detail" ? h("datalist", { id: "details" }, this.page.log.columns.action_detail.values.filter(Boolean).sort(compared).slice(0, 500).map((value) => h("option", { value: visible(value) }))) : null;
    return h("div", { class: "field" }, h("label", { for: `f-${name}` }, TITLES[name]), input, known, time ? h("span", { class: "wrong", id: `wrong-${name}`, role: "alert" }) : null);
  }
  typed(name, input) {
    const value = input.value.trim();
    if (name === "since" || name === "until") {
      const wrong = value !== "" && Number.isNaN(this.page.clock.moment(value, false));
      input.setAttribute("aria-invalid", String(wrong));
      byId(`wrong-${name}`).textContent = wrong ? "Write 2026-10-05 or 2026-10-05 08:00." : "";
      if (wrong) return;
    }
    if (value !== this.page.state[name]) this.page.go({ [name]: value });
  }
  menu(name, options) {
    const boxes = options.map(([value, said]) => {
      const box = h("input", { type: "checkbox", value });
      box.addEventListener("change", () => this.page.go({ [name]: this.ticked(name, box) }));
      return [box, said];
    });
    const summary = h("summary", {}, TITLES[name], h("span", { class: "count" }));
    this.menus[name] = { boxes: boxes.map(([box]) => box), summary };
    return h("details", { class: "menu" }, summary, h("fieldset", {}, h("legend", { class: "unseen" }, TITLES[name]), boxes.map(([box, said]) => h("label", {}, box, " ", ...cut(said, 90)))));
  }
  // "all" stands alone, and to take away from what is shown at first is to choose the rest.
  ticked(name, box) {
    if (box.value === "all") return box.checked ? ["all"] : [];
    const on = this.menus[name].boxes.filter((one) => one.checked && one.value !== "all").map((one) => one.value);
    const first = this.page.log.facts.hidden;
    const shown = this.menus[name].boxes.map((one) => one.value).filter((value) => value !== "all" && !first.includes(value));
    return name === "actor_type" && first.length && on.length === shown.length && on.every((value) => shown.includes(value)) ? [] : on;
  }
  // The controls say what the address says.
  fill() {
    const { state, log } = this.page;
    for (const name of TEXTS) this.inputs[name].value = state[name];
    for (const [name, { boxes, summary }] of Object.entries(this.menus)) {
      const first = name === "actor_type" && log.facts.hidden.length && !state[name].length;
      const every = state[name].includes("all");
      for (const box of boxes) box.checked = first ? box.value !== "all" && !log.facts.hidden.includes(box.value) : every || state[name].includes(box.value);
      summary.lastChild.textContent = state[name].length ? ` (${state[name].length})` : "";
    }
    const count = active(state);
    byId("badge").textContent = count ? String(count) : "";
    byId("badge").hidden = !count;
    byId("badge-said").textContent = count ? `, ${many(count, "filter")} on` : "";
    byId("clear").hidden = !count;
    byId("apart").checked = !state.apart;
  }
}
