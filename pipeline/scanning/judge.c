/* Lines of JSON, judged and taken apart. Optional: where no compiler was, Python does the same, slower.
 *
 * The wanted members of each right line are written one behind the other, as Arrow has its texts: a text without its
 * escapes, a JSON value as DuckDB would write it. Where that is not certain the member is doubtful, for the whole block.
 */
#include "json.h"

#define MOST_KEYS 256

/* A member that is wanted as a text: behind it, with `valid` when there is one. */
static place text(place p, place end, sink *out, uint8_t *valid) {
    place begin = p;
    int found = 0, sure = 0;
    if (p >= end) return NULL;
    *valid = 1;
    switch (*p) {
        case '"':
            if (!(p = string(p + 1, end, &found))) return NULL;
            if (found & HAS_ESCAPE) out->at = unescaped(out->at, begin + 1, p - 1);
            else copy(out, begin + 1, p - 1);
            out->doubtful |= found & HAS_NUL;
            return p;
        case 'n': *valid = 0; return word(p, end, "null", 4, &(sink){0});
        case 't': return word(p, end, "true", 4, out);
        case 'f': return word(p, end, "false", 5, out);
        case '{':
        case '[': out->doubtful = 1; *valid = 0; return value(p, end, 1, &(sink){.inner = out->inner});
        default:
            if (!(p = number(p, end, &sure))) return NULL;
            out->doubtful |= !sure;
            copy(out, begin, p);
            return p;
    }
}

typedef struct {
    key keys[MOST_KEYS];        /* the wanted members first, then whatever else comes */
    int after[MOST_KEYS + 1];   /* which key came behind this one last time; the last one's is the first of a record */
    int count;
    uint8_t seen[MOST_KEYS];
} names;

static int numbered(names *known, int before, place name, int64_t length) {
    int guess = known->after[before];
    if (guess >= 0 && same(known->keys[guess], name, length)) return guess;
    for (int n = 0; n < known->count; n++)
        if (same(known->keys[n], name, length)) return known->after[before] = n;
    if (known->count == MOST_KEYS) return -1;
    known->keys[known->count] = (key){name, length};
    return known->after[before] = known->count++;
}

/* Where something is wanted: a key, the first of those inside it and the next beside it, and what is written of it. */
typedef struct {
    place name;
    int64_t length;
    int32_t inside, beside;  /* other nodes; -1 for none */
    int32_t text, json;      /* columns; -1 for none */
} node;

typedef struct {
    int32_t kind;
    int32_t doubtful;
    int32_t *offsets;  /* of the values, one behind the other */
    int32_t *rows;  /* of the records that have one */
    uint8_t *data;  /* grows as it must */
    int64_t room;
    int64_t count;
    int32_t touched;  /* the next one of those that this line says something for; see wanted. UNTOUCHED without */
    int32_t doubt;  /* about this line */
    int32_t valid;  /* what this line says is a value */
} column;

#define UNTOUCHED (-2)

typedef struct {
    const node *nodes;
    column *columns;
    int32_t touched;  /* the last column that this line says something for; -1 for none */
    inner_keys *inner;
    int out_of_memory;
} wanted;

static int enough(column *one, int64_t size) {
    if (size <= one->room) return 1;
    int64_t room = size + size / 2 + 4096;
    uint8_t *more = realloc(one->data, (size_t)room);
    if (!more) return 0;
    one->data = more, one->room = room;
    return 1;
}

/* A text of nothing but spaces is no value. */
static int is_blank(place p, place end) {
    while (p < end && *p == ' ') p++;
    return p == end;
}

/* Writes a value to a column; behind the value. */
static place taken(place p, place end, int which, wanted *all) {
    column *one = all->columns + which;
    int32_t at = one->offsets[one->count];
    if (one->touched != UNTOUCHED) return NULL; /* a second one, of a key that stands twice */
    if (!enough(one, at + (end - p))) {
        all->out_of_memory = 1;
        return NULL;
    }
    sink out = {.at = one->data + at, .inner = all->inner};
    uint8_t valid = 0;
    int nested = p < end && (*p == '{' || *p == '['), none = p < end && *p == 'n';
    if (one->kind == TEXT || (one->kind == DEEP_TEXT && !nested)) {
        p = text(p, end, &out, &valid);
        if (is_blank(one->data + at, out.at)) valid = 0;
    }
    else if (one->kind == JSON && none) p = word(p, end, "null", 4, &(sink){0});
    else valid = 1, p = value(p, end, 1, &out);
    one->doubt = out.doubtful != 0, one->valid = valid;
    one->offsets[one->count + 1] = (int32_t)(out.at - one->data);
    one->touched = all->touched, all->touched = which;
    return p;
}

static place member(place p, place end, int at, wanted *all, int right);

static int of_name(const wanted *all, int at, key found) {
    for (; at >= 0; at = all->nodes[at].beside)
        if (same(found, all->nodes[at].name, all->nodes[at].length)) return at;
    return -1;
}

static int of_position(const wanted *all, int at, int64_t position) {
    uint8_t digits[20];
    int first = 20;
    do digits[--first] = (uint8_t)('0' + position % 10);
    while (position /= 10);
    return of_name(all, at, (key){digits + first, 20 - first});
}

/* Behind an object or a list that was found right, of what is wanted inside it; null when memory is out. */
static place inside(place p, place end, int first, wanted *all) {
    int list = *p == '[';
    p = spaces(p + 1, end);
    if (*p == ']' || *p == '}') return p + 1;
    for (int64_t position = 0;; position++) {
        key own = {0};
        p = list ? spaces(p, end) : named(p, end, &own);
        int at = list ? of_position(all, first, position) : of_name(all, first, own);
        p = at < 0 ? beyond(p, end) : member(p, end, at, all, 1);
        if (!p) return NULL;
        p = spaces(p, end);
        if (*p++ != ',') return p;
    }
}

/* Behind a value of which something is wanted; null when it is not right. What was found `right` is not judged again. */
static place member(place p, place end, int at, wanted *all, int right) {
    const node *one = all->nodes + at;
    int nested = one->inside >= 0 && p < end && (*p == '{' || *p == '[');
    place next = NULL;
    if (one->text >= 0 && !(next = taken(p, end, one->text, all))) return NULL;
    if (one->json >= 0 && !(next = taken(p, end, one->json, all))) return NULL;
    if (!next && right && nested) return inside(p, end, one->inside, all);
    if (!next && !(next = right ? beyond(p, end) : value(p, end, 1, &(sink){.inner = all->inner}))) return NULL;
    return !nested || inside(p, end, one->inside, all) ? next : NULL;
}

/* One line; 0 when the judge is to be asked. What it wrote counts when it is settled. */
static int record(
    place p, place end, names *known, const int *roots, int root_count, int right, wanted *all) {
    uint8_t own[MOST_KEYS] = {0};
    int before = MOST_KEYS;
    p = spaces(p, end);
    if (p >= end || *p++ != '{') return 0;
    p = spaces(p, end);
    int empty = p < end && *p == '}';
    p += empty;
    while (!empty) {
        key found;
        if (!(p = named(p, end, &found))) return 0;
        int which = numbered(known, before, found.name, found.length);
        if (which < 0 || own[which]++) return 0;
        before = which;
        p = which < root_count ? member(p, end, roots[which], all, right)
            : right            ? beyond(p, end)
                               : value(p, end, 1, &(sink){.inner = all->inner});
        if (!p) return 0;
        p = spaces(p, end);
        if (p >= end || (*p != ',' && *p != '}')) return 0;
        if (*p++ == '}') break;
    }
    if (spaces(p, end) != end) return 0;
    for (int n = 0; n < known->count; n++) known->seen[n] |= own[n];
    return 1;
}

/* What a line said counts if it is right, and is forgotten if not. */
static void settled(int right, int64_t row, wanted *all) {
    while (all->touched >= 0) {
        column *one = all->columns + all->touched;
        if (right) {
            one->doubtful |= one->doubt;
            if (one->valid) one->rows[one->count++] = (int32_t)row;
        }
        all->touched = one->touched, one->touched = UNTOUCHED;
    }
}

static uint8_t *told(uint8_t *out, key one) {
    int32_t length = (int32_t)one.length;
    memcpy(out, &length, 4);
    memcpy(out + 4, one.name, (size_t)length);
    return out + 4 + length;
}

/* Judge the lines of a text of less than 2 GB; `ends` are the places where the next ones begin, a newline before them; or
 * look at records that were `judged` before, which end there, and judge only what is wanted of them. `asked` becomes 1 for the lines of which the judge of record is asked; the others are
 * records. Node 0 of `nodes` is the record itself. The data of a column are of this library's allocation, and the
 * caller's to give back. `written_keys` gets the length (4 bytes) and the bytes of each key that a record has; its room
 * is that of the text and 4 bytes for each of 256 keys. Returns how much of it was used, or -1 when memory is out. With
 * `inner_written` (of room for the text and 4 bytes for each of 1,024 keys) the keys below are told too, and `inner_used`
 * says how much that took: -1 when there were too many. */
int64_t auditbook_scan(
    const uint8_t *text, const int64_t *ends, int32_t judged, int64_t lines, const node *nodes, column *columns, int32_t count,
    uint8_t *asked, uint8_t *written_keys, uint8_t *inner_written,
    int64_t *inner_used) {
    names known = {.count = 0};
    inner_keys inner = {.count = 0};
    wanted all = {nodes, columns, -1, inner_written ? &inner : NULL, 0};
    int roots[MOST_KEYS];
    int64_t row = 0;
    for (int n = 0; n <= MOST_KEYS; n++) known.after[n] = -1;
    for (int at = nodes[0].inside; at >= 0 && known.count < MOST_KEYS; at = nodes[at].beside) {
        roots[known.count] = at;
        known.keys[known.count++] = (key){nodes[at].name, nodes[at].length};
    }
    int root_count = known.count;
    for (int n = 0; n < count; n++) columns[n].offsets[0] = 0, columns[n].touched = UNTOUCHED;
    for (int64_t line = 0; line < lines && !all.out_of_memory; line++) {
        place begin = text + (line ? ends[line - 1] : 0), end = text + ends[line] - !judged;
        int right = record(begin, end, &known, roots, root_count, judged && !inner_written, &all);
        settled(right, row, &all);
        asked[line] = (uint8_t)!right;
        row += right;
    }
    uint8_t *out = written_keys, *below = inner_written;
    for (int n = 0; n < known.count; n++)
        if (known.seen[n]) out = told(out, known.keys[n]);
    for (int n = 0; below && n < inner.count; n++) below = told(below, inner.keys[n]);
    *inner_used = inner.more ? -1 : below - inner_written;
    return all.out_of_memory ? -1 : out - written_keys;
}

/* Where each line ends, behind its newline; without `ends`, only how many there are. */
int64_t auditbook_lines(const uint8_t *text, int64_t size, int64_t *ends) {
    int64_t count = 0;
    for (place p = text, end = text + size; (p = memchr(p, '\n', (size_t)(end - p))); count++) {
        p++;
        if (ends) ends[count] = p - text;
    }
    return count;
}

/* Of a column whose values are so many, the offsets of all records and the bits of those that have one. */
void auditbook_spread(
    const int32_t *offsets, const int32_t *rows, int64_t count, int64_t records, int32_t *all, uint8_t *bits) {
    int64_t row = 0;
    memset(bits, 0, (size_t)(records + 7) / 8);
    for (int64_t n = 0; n < count; n++) {
        while (row <= rows[n]) all[row++] = offsets[n];
        bits[rows[n] >> 3] |= (uint8_t)(1 << (rows[n] & 7));
    }
    while (row <= records) all[row++] = offsets[count];
}

void auditbook_give_back(uint8_t *data) { free(data); }

/* Changes with whatever the caller must know of the above: a library that was built for another caller is left alone. */
int32_t auditbook_interface(void) { return 9; }
