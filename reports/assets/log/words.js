// Values -> text that is safe to read, and elements made of it. No value ever becomes markup.

const LONG = 240;
const HIDDEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

// Characters that would not be seen, or would reorder others, are shown by their number.
function visible(text) {
  return String(text).replace(HIDDEN, (c) => `‹U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);
}

function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : visible(child))));
  return element;
}

const number = (value) => value.toLocaleString("en-US");
const many = (value, one, more = `${one}s`) => `${number(value)} ${value === 1 ? one : more}`;
const words = (name) => String(name ?? "").replaceAll("_", " ");

// A long text is cut, and shown whole when asked.
function long(text, most = LONG) {
  const whole = String(text);
  if (whole.length <= most) return [visible(whole)];
  const rest = h("button", { type: "button", class: "more" }, `show all ${number(whole.length)} characters`);
  const shown = h("span", {}, `${whole.slice(0, most)}…`);
  rest.addEventListener("click", () => { shown.textContent = visible(whole); rest.remove(); });
  return [shown, " ", rest];
}

// Times are said in the organization's zone; its changes of the clock stand in the page.
class Clock {
  constructor({ zone, changes, as_of: asOf }) {
    this.zone = zone;
    this.changes = changes;
    this.asOf = Date.parse(asOf);
  }
  change(moment) { return this.changes.findLast(([since]) => since <= moment) ?? this.changes[0]; }
  local(moment) { return new Date(moment + this.change(moment)[1] * 60000).toISOString().slice(0, 19).replace("T", " "); }
  abbreviation(moment) { return this.change(moment)[2]; }
  utc(moment) { return `${new Date(moment).toISOString().slice(0, 19).replace("T", " ")} UTC`; }
  // How long before the clock of the page, never before that of the reader's machine.
  ago(moment) {
    const minutes = Math.floor((this.asOf - moment) / 60000);
    if (minutes < 0) return "later";
    if (minutes < 1) return "just now";
    if (minutes < 60) return `${minutes} min ago`;
    if (minutes < 1440) return `${Math.floor(minutes / 60)} hr${minutes < 120 ? "" : "s"} ago`;
    const days = Math.round((Date.parse(this.local(this.asOf).slice(0, 10)) - Date.parse(this.local(moment).slice(0, 10))) / 86400000);
    if (days < 2) return "yesterday";
    if (days < 14) return `${days} days ago`;
    if (days < 70) return `${Math.floor(days / 7)} weeks ago`;
    return days < 730 ? `${Math.floor(days / 30.44)} months ago` : `${Math.floor(days / 365.25)} years ago`;
  }
  // A day or a time as typed, in the zone; the end of a day is the beginning of the next. NaN when it is no time.
  moment(text, end) {
    const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(Z)?)?$/.exec(text.trim());
    if (!match) return NaN;
    const written = Date.parse(`${match[1]}T${match[2] ?? "00:00"}Z`) + (end && !match[2] ? 86400000 : 0);
    if (match[3]) return written;
    const guess = written - this.change(written)[1] * 60000;
    return written - this.change(guess)[1] * 60000;
  }
}
