// One entry in full: who, what, when, from where, what changed, what was sent, and where the line stands.

const link = (state, given, ...text) => h("a", { href: addressOf({ ...fresh(), ...given }), ...state }, ...text);
const thing = (type, id, name) => (id
  ? link({ title: "History of this entity" }, { entity: type ? `${type}:${id}` : id }, [words(type), name || id].filter(Boolean).join(" "))
  : [words(type), name].filter(Boolean).join(" "));

function facts(rows, title) {
  const kept = rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && !(Array.isArray(value) && !value.length));
  if (!kept.length) return null;
  return h("div", { class: "box" }, h("h3", {}, title),
    h("dl", { class: "facts" }, kept.map(([name, value]) => [h("dt", {}, name), h("dd", {}, ...[value].flat())])));
}

const told = (value) => (value instanceof Digits ? value.source : typeof value === "string" ? value : plain(value));
// A text inside something nested keeps its quotes; a number keeps its digits.
function plain(value) {
  if (value instanceof Digits) return value.source;
  if (Array.isArray(value)) return `[${value.map(plain).join(", ")}]`;
  if (value && typeof value === "object") return `{${Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}: ${plain(inner)}`).join(", ")}}`;
  return JSON.stringify(value);
}

function side(change, which) {
  if (!change[`${which}_present`]) return h("td", { class: "none" }, "–");
  const value = change[which];
  const mark = h("span", { class: "sign", "aria-hidden": "true" }, which === "old" ? "−" : "+");
  const said = h("span", { class: "unseen" }, which === "old" ? "removed: " : "added: ");
  if (value === null) return h("td", { class: which }, mark, said, h("span", { class: "none" }, "null"));
  if (value === "") return h("td", { class: which }, mark, said, h("span", { class: "none" }, "empty text"));
  return h("td", { class: which }, mark, said, " ", ...long(told(value)));
}

// What was created has only new values, what was deleted only old ones.
function changed(changes) {
  if (!changes?.length) return null;
  const sides = [["old", "Before"], ["new", "After"]].filter(([which]) => changes.some((one) => one[`${which}_present`] || one.redacted));
  return h("div", { class: "box wide" }, h("h3", {}, many(changes.length, "changed field")),
    h("table", { class: "diff" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Field"), sides.map(([, title]) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, changes.map((one) => h("tr", {}, h("th", { scope: "row" }, one.field),
        one.redacted ? h("td", { colspan: sides.length, class: "none" }, "[REDACTED]") : sides.map(([which]) => side(one, which)))))));
}

function message(one, clock) {
  const sent = one.sent_at ? Date.parse(one.sent_at) : null;
  return h("article", { class: "message" },
    facts([["From", one.sender], ["To", (one.to ?? []).join(", ")], ["Cc", (one.cc ?? []).join(", ")], ["Bcc", (one.bcc ?? []).join(", ")],
      ["Subject", one.subject], ["Sent", sent && `${clock.local(sent)} ${clock.abbreviation(sent)} (${clock.utc(sent)})`],
      ["Body", one.body_format && `${one.body_format}, shown as text`], ["sha256 of the body", one.body_sha256]],
    `${words(one.channel || "message")}${one.direction ? `, ${one.direction}` : ""}${one.automated ? ", automated" : ""}`),
    one.body ? h("pre", { tabindex: "0" }, ...long(one.body, 4000)) : h("p", { class: "none" }, "The product gave no body."));
}

function pairs(value, title) {
  if (!value || typeof value !== "object" || value instanceof Digits) return facts([["value", value && told(value)]], title);
  return facts(Object.entries(value).map(([name, one]) => [visible(name), long(told(one))]), title);
}

function trace(entry) {
  if (!entry.error_stack) return null;
  return h("details", { class: "box wide" }, h("summary", {}, "Stack trace"), h("pre", { tabindex: "0" }, ...long(entry.error_stack, 4000)));
}

function listed(ids, type) {
  if (!ids?.length) return null;
  return h("details", { class: "box wide", open: ids.length <= 12 }, h("summary", {}, many(ids.length, "affected entity", "affected entities")),
    h("ul", { class: "ids" }, ids.map((id) => h("li", {}, thing(type, id)))));
}

// The other entries of one operation, each with its own time and changes; very large groups are cut.
const TOGETHER = 50;
async function together(page, n, matches) {
  const group = page.log.group[n];
  if (!group || page.state.apart) return null;
  const rest = group.toReversed().filter((one) => one !== n);
  const told = await Promise.all(rest.slice(0, TOGETHER).map(async (one) => {
    const entry = await page.log.entry(one);
    return h("article", { class: "related" }, h("p", {}, page.time(one), " ", h("strong", {}, label(entry)), " · ",
      thing(entry.entity_type, entry.entity_id, entry.entity_name), " · ", page.log.value("display_name", one), page.mark(one),
      matches.size && matches.has(one) ? "" : h("span", { class: "none" }, " outside the filter")),
    changed(entry.changes), listed(entry.entity_ids, entry.entity_type), h("p", { class: "place" }, `${entry.file}:${entry.line} · ${entry.event_uid}`));
  }));
  const tie = page.log.value("correlation_id", n);
  return h("div", { class: "box wide" }, h("h3", {}, `${many(rest.length, "related entry", "related entries")} of one operation`), told,
    rest.length > TOGETHER ? h("p", {}, link({}, { correlation: tie, apart: true }, `all ${number(group.length)} entries`)) : null);
}

const label = (entry) => entry.action_detail || entry.action_raw || words(entry.action) || "not named";

function actor(entry, page, n) {
  const as = entry.impersonator_name || entry.impersonator_email || entry.impersonator_id;
  return facts([["Who", as ? `${as} as ${page.log.value("display_name", n)}` : page.log.value("display_name", n)], ["E-mail", entry.actor_email],
    ["Id", entry.actor_id], ["Kind", words(entry.actor_type) + (entry.actor_type_raw && entry.actor_type_raw !== entry.actor_type ? ` (${entry.actor_type_raw})` : "")],
    ["Role", entry.actor_role], ["Impersonated by", as && [as, entry.impersonator_email, entry.impersonator_id].filter((one, at, all) => one && all.indexOf(one) === at).join(" · ")],
    ["API key", entry.api_key_id_masked], ["Address", entry.source_ip], ["User agent", entry.user_agent && long(entry.user_agent)], ["Channel", entry.channel]], "Who and from where");
}

function action(entry) {
  return facts([["Action", words(entry.action) + (entry.is_bulk ? ", many in one step" : "")], ["In detail", entry.action_detail],
    ["As exported", entry.action_raw !== entry.action_detail ? entry.action_raw : null], ["Type", entry.event_type_raw], ["Category", words(entry.category)],
    ["Entity", thing(entry.entity_type, entry.entity_id, entry.entity_name)], ["Entity id", entry.entity_name ? entry.entity_id : null],
    ["Belongs to", entry.parent_entity_id && thing(entry.parent_entity_type, entry.parent_entity_id)],
    ["Related", (entry.related_entities ?? []).flatMap((one, at) => [at ? ", " : "", one.relation ? `${words(one.relation)} ` : "", thing(one.type, one.id, one.name)])],
    ["Link", entry.entity_url && long(entry.entity_url)], ["Outcome", entry.outcome + (entry.status_raw && entry.status_raw !== entry.outcome ? ` (${entry.status_raw})` : "")],
    ["Error", entry.error_message && long(entry.error_message)], ["Reason", entry.reason && long(entry.reason)], ["Description", entry.message && long(entry.message)]], "What");
}

function place(entry, page, n) {
  const moment = page.log.at(n);
  return facts([["When", `${page.clock.local(moment)} ${page.clock.abbreviation(moment)}`], ["UTC", entry.occurred_at], ["As exported", entry.occurred_at_raw],
    ["Precision", { ms: "milliseconds", s: "seconds", min: "minutes", day: "days" }[entry.time_precision]], ["Correlation", entry.correlation_id && link({}, { correlation: entry.correlation_id }, entry.correlation_id)],
    ["Source", [entry.source, entry.instance].filter(Boolean).join(" · ")], ["Id in the source", entry.source_event_id], ["Line", `${entry.file}:${entry.line}`], ["Event", entry.event_uid],
    ["Findings", page.findings(n).flatMap((one, at) => [at ? ", " : "", link({}, { finding: [one.id] }, one.title), ` (${one.severity})`])],
    ["This entry", link({}, { event: entry.event_uid.slice(0, 12) }, "link to it")]], "When and evidence");
}

async function opened(page, n, matches) {
  const entry = await page.log.entry(n);
  return [h("div", { class: "boxes" }, action(entry), actor(entry, page, n), place(entry, page, n)),
    changed(entry.changes), await together(page, n, matches), listed(entry.entity_ids, entry.entity_type),
    (entry.communications ?? []).length ? h("div", { class: "box wide" }, entry.communications.map((one) => message(one, page.clock))) : null,
    trace(entry), pairs(entry.metadata, "Metadata"), pairs(entry.unmapped, "As exported, without a column of its own")].filter(Boolean);
}
