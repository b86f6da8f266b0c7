// What is shown <-> the address (#…), so that a view can be kept and sent. Only what differs from the beginning stands in it.

const SORTED = { source: "source", actor: "display_name", action: "action", detail: "action_detail", type: "entity_type", entity: "entity_id", outcome: "outcome", ip: "source_ip" };
const PLAIN = { sort: "time:desc", page: "0", apart: "", event: "" };

function fresh() {
  return { ...Object.fromEntries(CHOICES.map((name) => [name, []])), ...Object.fromEntries(TEXTS.map((name) => [name, ""])),
    sort: "time:desc", page: 0, apart: false, event: "" };
}

function stateOf(hash) {
  const state = fresh();
  for (const [name, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (CHOICES.includes(name)) state[name].push(value);
    else if (TEXTS.includes(name) || name in PLAIN) state[name] = value;
  }
  const [column, direction] = state.sort.split(":");
  if ((column !== "time" && !(column in SORTED)) || !["asc", "desc"].includes(direction)) state.sort = "time:desc";
  state.page = Math.max(0, Number.parseInt(state.page, 10) || 0);
  state.apart = Boolean(state.apart);
  return state;
}

function addressOf(state) {
  const said = new URLSearchParams();
  for (const name of CHOICES) for (const value of state[name]) said.append(name, value);
  for (const name of TEXTS) if (state[name]) said.append(name, state[name]);
  for (const [name, plain] of Object.entries(PLAIN)) {
    const value = typeof state[name] === "boolean" ? (state[name] ? "1" : "") : String(state[name]);
    if (value !== plain) said.append(name, value);
  }
  return `#${said}`;
}

// How many filters are on; what a page hides from the beginning is none.
const active = (state) => CHOICES.filter((name) => state[name].length).length + TEXTS.filter((name) => state[name]).length;
