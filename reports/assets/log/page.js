// The page: the address decides what is shown, and every control only changes the address.

const PAGE = 50;
const PRINTED = 1000;
const COLUMNS = [["time", "Time"], ["source", "Source"], ["actor", "Actor"], ["action", "Action"], ["type", "Entity type"], ["entity", "Entity"], ["outcome", "Outcome"], ["ip", "Address"]];
const byId = (id) => document.getElementById(id);

class Page {
  constructor(log) {
    this.log = log;
    this.clock = new Clock(log.facts);
    this.picked = new Set();
    this.open = new Set();
    this.raised = new Map(log.facts.findings.map((one) => [one.id, one]));
    this.columns = COLUMNS.filter(([name]) => name !== "source" || log.columns.source.values.length > 1);
  }
  findings(n) { return JSON.parse(this.log.value("finding", n)).map((id) => this.raised.get(id)); }
  time(n) {
    const moment = this.log.at(n);
    return h("time", { datetime: this.log.value("occurred_at", n), title: `${this.clock.utc(moment)} · ${this.clock.ago(moment)}` }, this.clock.local(moment));
  }
  mark(n) {
    const outcome = this.log.value("outcome", n);
    return ["success", "unknown"].includes(outcome) ? null : h("span", { class: `outcome ${outcome}` }, ` ${outcome}`);
  }
  go(given) {
    const next = { ...this.state, page: 0, event: "", ...given };
    location.hash = addressOf(next);
    this.show();
  }

  show() {
    this.address = location.hash;
    this.state = stateOf(this.address);
    this.missing = false;
    if (this.state.event) this.seek();
    this.rows = matching(this.log, this.clock, this.state);
    this.shown = ordered(this.log, this.state, this.rows);
    this.matches = new Set(this.rows.length === this.log.size ? [] : this.rows);
    this.state.page = Math.min(this.state.page, Math.max(0, Math.ceil(this.shown.length / PAGE) - 1));
    this.filters.fill();
    this.head();
    this.body(this.shown.slice(this.state.page * PAGE, (this.state.page + 1) * PAGE));
    this.foot();
  }
  // A link to one entry: the page of the table where it stands, opened.
  seek() {
    const n = this.log.columns.event_uid.values.findIndex((uid) => uid.startsWith(this.state.event));
    this.missing = n < 0;
    if (n < 0) return;
    const target = this.state.apart ? n : this.log.primary(n);
    const place = (state) => ordered(this.log, state, matching(this.log, this.clock, state)).indexOf(target);
    const state = place(this.state) < 0 && this.log.facts.hidden.length ? { ...this.state, actor_type: ["all"] } : this.state;
    if (place(state) < 0) return;
    this.state = { ...state, page: Math.floor(place(state) / PAGE) };
    this.open.add(target);
    this.target = target;
  }

  head() {
    const [sorted, direction] = this.state.sort.split(":");
    const all = h("input", { type: "checkbox", id: "all", "aria-label": "Select every entry of this page", onchange: () => this.pickAll(all.checked) });
    byId("head").replaceChildren(h("tr", {}, h("th", { scope: "col", class: "pick" }, all), h("th", { scope: "col", class: "arrow" }, h("span", { class: "unseen" }, "Open")),
      this.columns.map(([name, title]) => {
        const next = name === sorted ? (direction === "asc" ? "desc" : "asc") : name === "time" ? "desc" : "asc";
        return h("th", { scope: "col", class: `c-${name}`, "aria-sort": name === sorted ? `${direction}ending` : "none" },
          h("button", { type: "button", class: "sort", "data-sort": name, onclick: () => { this.focus = `[data-sort="${name}"]`; this.go({ sort: `${name}:${next}` }); } }, title,
            h("span", { "aria-hidden": "true" }, name === sorted ? (direction === "asc" ? " ↑" : " ↓") : "")));
      })));
  }
  body(part) {
    byId("rows").replaceChildren(...part.flatMap((n) => this.row(n)));
    byId("nothing").hidden = part.length > 0;
    this.pickedAll();
    if (this.target !== undefined) document.querySelector(`tr[data-n="${this.target}"]`)?.scrollIntoView({ block: "center" });
    this.target = undefined;
    if (this.focus) document.querySelector(this.focus)?.focus();
    this.focus = null;
  }
  row(n) {
    const { log } = this;
    const open = this.open.has(n);
    const group = this.state.apart ? null : log.group[n];
    const said = `${log.value("action_detail", n) || words(log.value("action", n)) || "entry"} of ${this.clock.local(log.at(n))}`;
    const detail = h("tr", { class: "detail", id: `detail-${n}`, hidden: !open }, h("td", { colspan: this.columns.length + 2 }));
    const toggle = h("button", { type: "button", class: "toggle", "aria-expanded": String(open), "aria-controls": `detail-${n}`, "aria-label": `Details: ${said}` }, h("span", { "aria-hidden": "true" }, "▸"));
    const flip = () => this.flip(n, toggle, detail);
    toggle.addEventListener("click", (event) => { event.stopPropagation(); flip(); });
    const pick = h("input", { type: "checkbox", "aria-label": `Select: ${said}`, "data-pick": n, onchange: () => { this.picked[pick.checked ? "add" : "delete"](n); this.pickedAll(); } });
    pick.checked = this.picked.has(n);
    const row = h("tr", { class: "row", "data-n": n }, h("td", { class: "pick" }, pick), h("td", { class: "arrow" }, toggle),
      this.columns.map(([name, title]) => h("td", { class: `c-${name}`, "data-label": title }, this.cell(name, n, group))));
    row.addEventListener("click", (event) => { if (!event.target.closest("a, button, input") && !String(getSelection())) flip(); });
    if (open) this.fill(n, detail);
    return [row, detail];
  }
  cell(name, n, group) {
    const { log } = this;
    if (name === "time") return [this.time(n), " ", h("span", { class: "ago" }, this.clock.ago(log.at(n)))];
    if (name === "actor") {
      const as = log.value("impersonator", n);
      return [as ? `${as} as ` : "", ...cut(log.value("display_name", n)), " ", h("span", { class: "kind" }, words(log.value("actor_type", n)))];
    }
    if (name === "action") {
      const severity = this.findings(n)[0]?.severity;
      return [h("strong", {}, ...cut(log.value("action_detail", n) || words(log.value("action", n)) || "–")), group ? h("span", { class: "tied" }, ` (${group.length})`) : null,
        severity ? h("span", { class: `severity severity-${severity}` }, " ", h("i", { class: "shape", "aria-hidden": "true" }), severity) : null,
        log.value("message", n) ? h("span", { class: "said" }, ...cut(log.value("message", n), 120)) : null];
    }
    if (name === "type") return words(log.value("entity_type", n));
    if (name === "entity") return this.entity(n);
    if (name === "outcome") return this.mark(n) ?? (log.value("outcome", n) === "unknown" ? "" : log.value("outcome", n));
    return cut(log.value(SORTED[name], n) ?? "");
  }
  entity(n) {
    const { log } = this;
    const ids = JSON.parse(log.value("entity_ids", n));
    const id = log.value("entity_id", n);
    const type = log.value("entity_type", n);
    if (!id && ids.length) return many(ids.length, "entity", "entities");
    const name = visible(log.value("entity_name", n) || id || "").slice(0, 80);
    const here = this.state.entity === `${type}:${id}`;
    return [id && !here ? link({ title: "History of this entity" }, { entity: type ? `${type}:${id}` : id }, name) : name, ids.length > 1 ? ` (+${ids.length})` : ""];
  }
  async flip(n, toggle, detail) {
    const open = !this.open.has(n);
    this.open[open ? "add" : "delete"](n);
    toggle.setAttribute("aria-expanded", String(open));
    detail.hidden = !open;
    if (open) await this.fill(n, detail);
  }
  async fill(n, detail) {
    if (detail.firstChild.hasChildNodes()) return;
    detail.firstChild.replaceChildren(...(await opened(this, n, this.matches)));
    detail.dataset.ready = "";
  }

  foot() {
    const [sorted, direction] = this.state.sort.split(":");
    const begin = this.state.page * PAGE;
    const end = Math.min(begin + PAGE, this.shown.length);
    const names = sorted !== "time" ? ["Previous", "Next"] : direction === "desc" ? ["Newer", "Older"] : ["Older", "Newer"];
    const [before, after] = [byId("before"), byId("after")];
    before.textContent = names[0];
    after.textContent = names[1];
    before.disabled = begin === 0;
    after.disabled = end >= this.shown.length;
    byId("where").textContent = this.shown.length ? `${number(begin + 1)}–${number(end)} of ${number(this.shown.length)}` : "";
    const hidden = this.hidden();
    byId("status").textContent = `${many(this.rows.length, "entry", "entries")}${this.rows.length === this.log.size ? "" : ` of ${number(this.log.size)}`}`
      + (this.shown.length === this.rows.length ? "" : ` in ${many(this.shown.length, "row")}`);
    byId("hidden").replaceChildren(...(hidden ? [h("span", {}, `${many(hidden, "entry", "entries")} of kind ${this.log.facts.hidden.map(words).join(", ")} hidden, as this product does. `),
      h("button", { type: "button", class: "more", onclick: () => this.go({ actor_type: ["all"] }) }, "Show them")] : []));
    if (this.missing) byId("hidden").replaceChildren(`The event ${visible(this.state.event)} is not in this page; auditbook show has it.`);
    this.history();
    this.pickedAll();
  }
  hidden() {
    if (this.state.actor_type.length || !this.log.facts.hidden.length) return 0;
    return matching(this.log, this.clock, { ...this.state, actor_type: this.log.facts.hidden }).length;
  }
  // The history of one thing: its name as the heading, and the things that its entries tie it to.
  history() {
    const { entity } = this.state;
    byId("history").hidden = !entity;
    if (!entity) return;
    const [type, id] = entity.includes(":") ? [entity.slice(0, entity.indexOf(":")), entity.slice(entity.indexOf(":") + 1)] : ["", entity];
    const tied = new Map();
    for (const n of this.rows.slice(0, 2000)) {
      const near = [[this.log.value("entity_type", n), this.log.value("entity_id", n)], [this.log.value("parent_entity_type", n), this.log.value("parent_entity_id", n)],
        ...JSON.parse(this.log.value("related_entities", n)).map((one) => [one.type, one.id])];
      for (const [kind, name] of near) if (name && name !== id) tied.set(`${kind ?? ""}:${name}`, [kind, name]);
    }
    byId("history").replaceChildren(h("h2", {}, `History of ${[words(type), id].filter(Boolean).join(" ")}`),
      tied.size ? h("p", {}, "Linked: ", [...tied.values()].slice(0, 20).flatMap((one, at) => [at ? ", " : "", thing(...one)]), tied.size > 20 ? ` and ${number(tied.size - 20)} more` : "") : "",
      h("p", {}, link({}, {}, "All entries")));
  }

  pickAll(on) {
    for (const box of document.querySelectorAll("[data-pick]")) {
      box.checked = on;
      this.picked[on ? "add" : "delete"](Number(box.dataset.pick));
    }
    this.pickedAll();
  }
  pickedAll() {
    const boxes = [...document.querySelectorAll("[data-pick]")];
    const on = boxes.filter((box) => box.checked).length;
    const all = byId("all");
    if (all) Object.assign(all, { checked: on > 0 && on === boxes.length, indeterminate: on > 0 && on < boxes.length });
    byId("saving").textContent = this.picked.size ? `Save ${number(this.picked.size)} selected:` : `Save ${number(this.rows?.length ?? 0)} filtered:`;
    byId("unpick").hidden = !this.picked.size;
  }
  // What is selected, with what belongs to it; else everything that the filters leave.
  chosen() {
    if (!this.picked.size) return this.rows;
    const whole = [...this.picked].flatMap((n) => (this.state.apart ? n : this.log.group[n] ?? n));
    return [...new Set(whole)].sort((a, b) => a - b);
  }
  async keep(kind) {
    byId("status").textContent = "Writing the file…";
    const name = await save(this.log, this.chosen(), kind);
    byId("status").textContent = `Saved ${name}`;
  }
  print(all) {
    const part = all ? (this.picked.size ? [...this.picked].sort((a, b) => a - b) : this.shown).slice(0, PRINTED) : null;
    if (part) this.body(part); else this.show();
  }
}

const cut = (text, most = 160) => [visible(text.length > most ? `${text.slice(0, most)}…` : text)];
