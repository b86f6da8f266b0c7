// Which entries answer: AND across filters, OR within one. The same filters as on the command line.

const CHOICES = ["source", "actor_type", "action", "event_type_raw", "category", "entity_type", "outcome", "classes", "finding"];
const TEXTS = ["text", "actor", "detail", "entity", "ip", "correlation", "since", "until"];
const SEARCHED = ["message", "action_detail", "entity_name", "reason", "error_message"];
const ACTOR = ["actor_id", "actor_name", "actor_email", "display_name"];

// One column and a test of its values; each different value is tested once.
function allowed(column, test) {
  const yes = Uint8Array.from(column.values, (value, code) => (test(value, code) ? 1 : 0));
  return (n) => yes[column.code(n)] === 1;
}
const any = (tests) => (n) => tests.some((test) => test(n));

function chosen(log, name, values) {
  if (values.includes("all") && name === "actor_type") return () => true;
  const wanted = new Set(values);
  const column = log.columns[name];
  if (name === "classes" || name === "finding") return allowed(column, (value) => JSON.parse(value).some((one) => wanted.has(one)));
  return allowed(column, (value) => wanted.has(value ?? ""));
}

function containing(log, names, text) {
  const needle = text.toLowerCase();
  return any(names.map((name) => allowed(log.columns[name], (_, code) => log.columns[name].folded[code].includes(needle))));
}

// "job:job_2041", "job:" or "job_2041": the thing itself, those of a bulk entry, its parent and related ones.
function concerning(log, text) {
  const { entity_type: type, entity_id: id, entity_ids: ids, parent_entity_type: parentType, parent_entity_id: parent, related_entities: related } = log.columns;
  const known = type.folded.concat(parentType.folded);
  const cut = text.indexOf(":");
  const kind = cut > 0 && (cut === text.length - 1 || known.includes(text.slice(0, cut).toLowerCase())
    || related.values.some((value) => value.includes(JSON.stringify(text.slice(0, cut))))) ? text.slice(0, cut).toLowerCase() : null;
  const name = kind === null ? text : text.slice(cut + 1);
  const spelled = JSON.stringify(name);
  const sameType = kind === null ? () => true : allowed(type, (_, code) => type.folded[code] === kind);
  const sameParent = kind === null ? () => true : allowed(parentType, (_, code) => parentType.folded[code] === kind);
  const itself = allowed(id, (value) => name === "" || value === name);
  const bulk = allowed(ids, (value) => (name === "" ? false : value.includes(spelled) && JSON.parse(value).includes(name)));
  const above = allowed(parent, (value) => value !== null && (name === "" || value === name));
  const tied = allowed(related, (value) => (name === "" ? kind !== null && value.includes(JSON.stringify(kind)) : value.includes(spelled))
    && JSON.parse(value).some((one) => (name === "" || one.id === name) && (kind === null || one.type === kind)));
  return (n) => ((itself(n) || bulk(n)) && sameType(n)) || (above(n) && sameParent(n)) || tied(n);
}

// An address, the beginning of one, or an IPv4 network.
function from(log, text) {
  const network = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(text);
  if (!network) return allowed(log.columns.source_ip, (value) => value !== null && value.toLowerCase().startsWith(text.toLowerCase()));
  const bits = (address) => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(network[5]));
  const wanted = Math.floor(bits(text.split("/")[0]) / size);
  return allowed(log.columns.source_ip, (value) => /^\d+\.\d+\.\d+\.\d+$/.test(value ?? "") && Math.floor(bits(value) / size) === wanted);
}

function globbed(pattern) {
  const safe = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".");
  return new RegExp(`^${safe}$`, "is");
}

const ASKED = {
  text: (log, text) => containing(log, SEARCHED, text),
  actor: (log, text) => containing(log, ACTOR, text),
  detail: (log, text) => (/[*?]/.test(text)
    ? allowed(log.columns.action_detail, (value) => value !== null && globbed(text).test(value))
    : containing(log, ["action_detail"], text)),
  entity: concerning,
  ip: from,
  correlation: (log, text) => allowed(log.columns.correlation_id, (value) => value === text),
};

function tests(log, clock, state) {
  const found = CHOICES.filter((name) => state[name].length).map((name) => chosen(log, name, state[name]));
  if (!state.actor_type.length && log.facts.hidden.length) {
    found.push(allowed(log.columns.actor_type, (value) => !log.facts.hidden.includes(value)));
  }
  for (const [name, ask] of Object.entries(ASKED)) if (state[name]) found.push(ask(log, state[name]));
  const since = state.since ? clock.moment(state.since, false) : -Infinity;
  const until = state.until ? clock.moment(state.until, true) : Infinity;
  if (since > -Infinity || until < Infinity) found.push((n) => log.at(n) >= since && log.at(n) < until);
  return found;
}

function matching(log, clock, state) {
  const all = tests(log, clock, state);
  const rows = [];
  for (let n = 0; n < log.size; n += 1) if (all.every((test) => test(n))) rows.push(n);
  return rows;
}

// The rows to show: each group of tied entries once, by its first entry, in the order asked for.
function ordered(log, state, rows) {
  const shown = state.apart ? rows : [...new Set(rows.map((n) => log.primary(n)))];
  const [name, direction] = state.sort.split(":");
  const sign = direction === "asc" ? 1 : -1;
  if (name === "time") return shown.sort((a, b) => (a - b) * -sign);
  const column = log.columns[SORTED[name] ?? "action"];
  const ranks = column.ranks;
  return shown.sort((a, b) => sign * (ranks[column.code(a)] - ranks[column.code(b)]) || a - b);
}
