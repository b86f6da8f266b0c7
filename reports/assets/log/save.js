// Entries -> a file: what `auditbook export` writes of the same entries, in JSON and in CSV.

const FORMULA = /^([\t\r]|[\u0001- \u00a0\u2000-\u200f\u202f\u205f\u2060\u3000\ufeff"']*[=+\-@\uff1d\uff0b\uff0d\uff20])/u;

function cell(text, nested) {
  if (text === "null") return "";
  const value = nested ? text : JSON.parse(text);
  if (typeof value !== "string") return String(value);
  const safe = !nested && FORMULA.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

async function* lines(log, rows, kind) {
  const nested = Object.fromEntries(log.order);
  const times = new Set(["occurred_at"]);
  if (kind === "csv") yield `${log.order.map(([name]) => name).join(",")}\n`;
  for (const [place, n] of rows.entries()) {
    const texts = await log.texts(n);
    if (kind === "csv") yield `${texts.map(([name, text]) => (times.has(name) ? JSON.parse(text) : cell(text, nested[name]))).join(",")}\n`;
    else yield `${place ? ",\n" : "[\n"}{${texts.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`;
  }
  if (kind === "json") yield rows.length ? "\n]\n" : "[\n\n]\n";
}

async function save(log, rows, kind) {
  const parts = [];
  if (kind === "txt") parts.push(rows.map((n) => `${log.value("event_uid", n)}\n`).join(""));
  else for await (const line of lines(log, rows, kind)) parts.push(line);
  const url = URL.createObjectURL(new Blob(parts, { type: { csv: "text/csv", json: "application/json", txt: "text/plain" }[kind] }));
  const name = `log-${log.facts.as_of.slice(0, 10)}-${many(rows.length, "entry", "entries").replace(/[ ,]/g, (c) => (c === " " ? "-" : ""))}.${kind}`;
  const anchor = h("a", { href: url, download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
  return name;
}
