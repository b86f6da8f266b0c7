// What the page carries -> columns. Everything stands in the page itself; nothing is fetched.

async function unpacked(element) {
  const text = element.textContent;
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// A column is its different values, and for each entry which of them; `at` is null when every entry has its own.
class Column {
  constructor(values, at, nested) {
    this.values = values;
    this.at = at;
    this.nested = nested;
  }
  code(n) { return this.at ? this.at[n] : n; }
  value(n) { return this.values[this.code(n)]; }
  // The value as JSON text, as the store has it: a number in something nested is never read and written again.
  text(n) {
    const value = this.value(n);
    return this.nested && value !== null ? value : JSON.stringify(value);
  }
  parsed(n) {
    const value = this.value(n);
    return this.nested && value !== null ? exact(value) : value;
  }
  get folded() { return (this._folded ??= this.values.map((value) => (value === null ? "" : String(value).toLowerCase()))); }
  get ranks() {
    if (!this._ranks) {
      const order = this.values.map((_, code) => code).sort((a, b) => compared(this.folded[a], this.folded[b]) || a - b);
      this._ranks = new Int32Array(order.length);
      order.forEach((code, rank) => { this._ranks[code] = rank; });
    }
    return this._ranks;
  }
}

const compared = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// Numbers keep the digits that they came with, where the browser tells them.
function exact(text) {
  return JSON.parse(text, (_, value, context) =>
    typeof value === "number" && context && String(value) !== context.source ? new Digits(context.source) : value);
}

class Digits {
  constructor(source) { this.source = source; }
  toJSON() { return this.source; }
}

class Log {
  constructor(index, parts) {
    this.facts = index.facts;
    this.size = index.size;
    this.order = index.order;
    this.parts = parts;
    this.read = new Map();
    this.columns = Object.fromEntries(Object.entries(index.columns).map(
      ([name, [values, at, nested]]) => [name, new Column(values, at && Int32Array.from(at), nested)]));
    this.moments = Float64Array.from(this.columns.occurred_at.values, (text) => Date.parse(text));
    this._group();
  }
  at(n) { return this.moments[this.columns.occurred_at.code(n)]; }
  value(name, n) { return this.columns[name].value(n); }

  // Entries that the product ties together; entries are in the order newest first, so the last of a group is its first.
  _group() {
    const { correlation_id: tie, source } = this.columns;
    const groups = new Map();
    this.group = new Array(this.size);
    for (let n = 0; n < this.size; n += 1) {
      if (tie.value(n) === null) continue;
      const key = `${source.code(n)} ${tie.code(n)}`;
      const group = groups.get(key);
      if (group) group.push(n); else groups.set(key, [n]);
    }
    for (const group of groups.values()) if (group.length > 1) for (const n of group) this.group[n] = group;
  }
  primary(n) { return this.group[n] ? this.group[n].at(-1) : n; }

  // The columns of a stretch of entries that no filter needs; read when an entry of it is opened or saved.
  async part(n) {
    const number = Math.floor(n / this.facts.part);
    if (!this.read.has(number)) this.read.set(number, unpacked(this.parts[number]));
    return this.read.get(number);
  }
  async texts(n) {
    const part = await this.part(n);
    const place = n % this.facts.part;
    return this.order.map(([name, nested]) => {
      if (this.columns[name]) return [name, this.columns[name].text(n)];
      const value = part[name] ? part[name][place] : null;
      return [name, nested && value !== null ? value : JSON.stringify(value)];
    });
  }
  async entry(n) { return Object.fromEntries((await this.texts(n)).map(([name, text]) => [name, exact(text)])); }
}
