/* Lines of strict JSON, judged and taken apart. Optional: where no compiler was, Python does the same, slower.
 *
 * A line is right when it is one JSON object in UTF-8, without a key twice in one object and with no number that needs
 * a thought. Of everything else, and of whatever is not looked at closely here, the judge of record is asked: an answer
 * of ours that it would not give is a fault, asking it too often is not.
 *
 * The wanted members of each right line are written one behind the other, as Arrow has its texts: a text without its
 * escapes, a JSON value as DuckDB would write it. Where that is not certain the member is doubtful, for the whole block.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_DEPTH 64
#define MOST_NESTED_KEYS 128
#define MOST_KEYS 256
#define MOST_INNER_KEYS 1024
#define PLACES_OF_INNER_KEYS 4096
#define MOST_WAYS 8
#define PLACES_OF_SPELLINGS 4096
#define FIRST_YEAR 1970
#define LAST_YEAR 2200
#define MOST_DIGITS 200
#define SURE_DIGITS 15
#define SURE_INTEGER_DIGITS 18

/* A text or a JSON value at the top of a record, as DuckDB's from_json has them, or below, as its json_extract has. */
enum { TEXT = 0, JSON = 1, DEEP_TEXT = 2, DEEP_JSON = 3 };
/* What a text is a time of. */
enum { NOT_USUAL = 0, ZONED = 1, EPOCH = 2, LOCAL = 3, FINER = 4 };
enum { HAS_ESCAPE = 1, HAS_OTHER_ESCAPE = 2, HAS_NUL = 4 };

typedef const uint8_t *place;

typedef struct {
    place name;
    int64_t length;
} key;

/* Every key below the top of any record, each once. */
typedef struct {
    key keys[MOST_INNER_KEYS];
    uint16_t places[PLACES_OF_INNER_KEYS];  /* 0, or the number of a key counted from 1 */
    int count;
    int more;  /* there were more than there is room for */
} inner_keys;

typedef struct {
    uint8_t *at;  /* where the next byte goes; null when nothing is wanted */
    int doubtful;
    inner_keys *inner;  /* null when nobody asks */
} sink;

static place spaces(place p, place end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    return p;
}

/* Which byte, in their order in memory, is the first of a word that has its top bit set. Subtractions borrow from later
 * bytes only, so where bytes lie lowest first that one is certain; elsewhere the search goes on byte by byte. */
static int first_marked(uint64_t tops) {
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_ctzll(tops) >> 3;
#else
    (void)tops;
    return 0;
#endif
}

/* Eight bytes at a time, as long as none of them ends a text, escapes, is a control or not ASCII; to the first that is. */
static place usual(place p, place end) {
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    while (end - p >= 8) {
        uint64_t x;
        memcpy(&x, p, 8);
        uint64_t quote = x ^ (ones * '"'), slash = x ^ (ones * '\\');
        uint64_t odd = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((x - ones * 0x20) & ~x) | x;
        if (odd & tops) return p + first_marked(odd & tops);
        p += 8;
    }
    return p;
}

/* Behind one character of two bytes or more; null when it is none. */
static place beyond_ascii(place p, place end) {
    uint8_t first = *p++;
    uint8_t low = 0x80, high = 0xBF;
    int more;
    if (first >= 0xC2 && first <= 0xDF) more = 1;
    else if (first >= 0xE0 && first <= 0xEF) {
        more = 2;
        if (first == 0xE0) low = 0xA0;
        if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
        more = 3;
        if (first == 0xF0) low = 0x90;
        if (first == 0xF4) high = 0x8F;
    } else return NULL;
    for (; more; more--, p++) {
        if (p >= end || *p < low || *p > high) return NULL;
        low = 0x80, high = 0xBF;
    }
    return p;
}

static int hex4(place p, place end) {
    int value = 0;
    if (end - p < 4) return -1;
    for (int n = 0; n < 4; n++) {
        uint8_t c = p[n];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The character behind a \u, whose second half may be a second \u; -1 when it is none. `p` is moved behind it. */
static int32_t escaped(place *p, place end) {
    int32_t high = hex4(*p, end);
    if (high < 0) return -1;
    *p += 4;
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high > 0xDBFF || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u') return -1;
    int32_t low = hex4(*p + 2, end);
    if (low < 0xDC00 || low > 0xDFFF) return -1;
    *p += 6;
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

/* From behind the opening quote to behind the closing one; null when the text is not right. */
static place string(place p, place end, int *found) {
    for (;;) {
        p = usual(p, end);
        if (p >= end) return NULL;
        uint8_t c = *p;
        if (c == '"') return p + 1;
        if (c < 0x20) return NULL;
        if (c >= 0x80) {
            if (!(p = beyond_ascii(p, end))) return NULL;
        } else if (c == '\\') {
            if (++p >= end) return NULL;
            *found |= HAS_ESCAPE;
            c = *p++;
            if (c == 'u') {
                int32_t character = escaped(&p, end);
                if (character < 0) return NULL;
                *found |= HAS_OTHER_ESCAPE | (character ? 0 : HAS_NUL);
            } else if (c == '/') *found |= HAS_OTHER_ESCAPE;
            else if (!(c == '"' || c == '\\' || c == 'b' || c == 'f' || c == 'n' || c == 'r' || c == 't')) return NULL;
        } else p++;
    }
}

static uint8_t *written(uint8_t *out, int32_t c) {
    if (c < 0x80) *out++ = (uint8_t)c;
    else if (c < 0x800) {
        *out++ = (uint8_t)(0xC0 | c >> 6);
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *out++ = (uint8_t)(0xE0 | c >> 12);
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    } else {
        *out++ = (uint8_t)(0xF0 | c >> 18);
        *out++ = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        *out++ = (uint8_t)(0x80 | (c & 0x3F));
    }
    return out;
}

/* The inside of a text that is right, without its escapes: never longer than it was. */
static uint8_t *unescaped(uint8_t *out, place p, place end) {
    while (p < end) {
        place slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash ? slash : end) - p);
        memcpy(out, p, plain);
        out += plain;
        if (!slash) break;
        p = slash + 2;
        switch (slash[1]) {
            case 'b': *out++ = '\b'; break;
            case 'f': *out++ = '\f'; break;
            case 'n': *out++ = '\n'; break;
            case 'r': *out++ = '\r'; break;
            case 't': *out++ = '\t'; break;
            case 'u': out = written(out, escaped(&p, end)); break;
            default: *out++ = slash[1];
        }
    }
    return out;
}

/* Behind a number; null when it is none, has an exponent or is very long. `sure` when it is written as DuckDB would. */
static place number(place p, place end, int *sure) {
    int minus = p < end && *p == '-';
    p += minus;
    place begin = p;
    while (p < end && *p >= '0' && *p <= '9') p++;
    int64_t digits = p - begin;
    if (!digits || digits > MOST_DIGITS || (*begin == '0' && digits > 1)) return NULL;
    *sure = digits <= SURE_INTEGER_DIGITS && !(minus && *begin == '0');
    if (p < end && *p == '.') {
        place fraction = ++p;
        while (p < end && *p >= '0' && *p <= '9') p++;
        int64_t places = p - fraction;
        if (!places || places > MOST_DIGITS) return NULL;
        int small = *begin == '0' && !(fraction[0] > '0' || (places > 1 && fraction[1] > '0'));
        *sure = digits + places <= SURE_DIGITS && !small && (p[-1] != '0' || places == 1);
    }
    return p < end && (*p == 'e' || *p == 'E') ? NULL : p;
}

static void copy(sink *out, place from, place to) {
    if (!out->at) return;
    memcpy(out->at, from, (size_t)(to - from));
    out->at += to - from;
}

static int same(key a, place name, int64_t length) {
    return a.length == length && !memcmp(a.name, name, (size_t)length);
}

/* From before a member's key to its value; a key with an escape in it is left to the judge. */
static place named(place p, place end, key *found) {
    int escapes = 0;
    p = spaces(p, end);
    if (p >= end || *p != '"') return NULL;
    found->name = ++p;
    if (!(p = string(p, end, &escapes)) || escapes) return NULL;
    found->length = p - 1 - found->name;
    p = spaces(p, end);
    return p < end && *p == ':' ? spaces(p + 1, end) : NULL;
}

static void noted(inner_keys *all, key found) {
    uint32_t hash = 2166136261u;
    for (int64_t n = 0; n < found.length; n++) hash = (hash ^ found.name[n]) * 16777619u;
    for (uint32_t at = hash % PLACES_OF_INNER_KEYS;; at = (at + 1) % PLACES_OF_INNER_KEYS) {
        if (!all->places[at]) {
            if (all->count == MOST_INNER_KEYS) all->more = 1;
            else all->keys[all->count] = found, all->places[at] = (uint16_t)++all->count;
            return;
        }
        if (same(all->keys[all->places[at] - 1], found.name, found.length)) return;
    }
}

static place value(place p, place end, int depth, sink *out);

static place word(place p, place end, const char *text, size_t length, sink *out) {
    if ((size_t)(end - p) < length || memcmp(p, text, length)) return NULL;
    copy(out, p, p + length);
    return p + length;
}

static place list(place p, place end, int depth, sink *out) {
    copy(out, (place) "[", (place) "[" + 1);
    p = spaces(p, end);
    if (p < end && *p == ']') {
        copy(out, p, p + 1);
        return p + 1;
    }
    for (;;) {
        if (!(p = value(spaces(p, end), end, depth, out))) return NULL;
        p = spaces(p, end);
        if (p >= end || (*p != ',' && *p != ']')) return NULL;
        copy(out, p, p + 1);
        if (*p++ == ']') return p;
    }
}

static place object(place p, place end, int depth, sink *out) {
    key keys[MOST_NESTED_KEYS];
    int count = 0;
    copy(out, (place) "{", (place) "{" + 1);
    p = spaces(p, end);
    if (p < end && *p == '}') {
        copy(out, p, p + 1);
        return p + 1;
    }
    for (;;) {
        key own;
        if (count == MOST_NESTED_KEYS || !(p = named(p, end, &own))) return NULL;
        for (int n = 0; n < count; n++)
            if (same(keys[n], own.name, own.length)) return NULL;
        keys[count++] = own;
        if (out->inner) noted(out->inner, own);
        copy(out, own.name - 1, own.name + own.length + 1);
        copy(out, (place) ":", (place) ":" + 1);
        if (!(p = value(p, end, depth, out))) return NULL;
        p = spaces(p, end);
        if (p >= end || (*p != ',' && *p != '}')) return NULL;
        copy(out, p, p + 1);
        if (*p++ == '}') return p;
    }
}

/* Behind a value, which is copied as DuckDB would write it; null when it is not right. */
static place value(place p, place end, int depth, sink *out) {
    if (p >= end || depth > MOST_DEPTH) return NULL;
    place begin = p;
    int found = 0, sure = 0;
    switch (*p) {
        case '{': return object(p + 1, end, depth + 1, out);
        case '[': return list(p + 1, end, depth + 1, out);
        case 't': return word(p, end, "true", 4, out);
        case 'f': return word(p, end, "false", 5, out);
        case 'n': return word(p, end, "null", 4, out);
        case '"':
            if (!(p = string(p + 1, end, &found))) return NULL;
            out->doubtful |= found & HAS_OTHER_ESCAPE;
            break;
        default:
            if (!(p = number(p, end, &sure))) return NULL;
            out->doubtful |= !sure;
    }
    copy(out, begin, p);
    return p;
}

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
    int32_t *offsets;
    uint8_t *valid;
    uint8_t *data;  /* grows as it must */
    int64_t room;
    int64_t rows;  /* how many have their offsets; those behind them hold nothing */
    int32_t touched;  /* the next one of those that this line says something for; see wanted */
    int32_t doubt;  /* about this line */
} column;

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

/* Rows of which nothing was wanted so far end where the last one does. */
static void filled(column *one, int64_t rows) {
    int32_t at = one->offsets[one->rows];
    while (one->rows < rows) one->offsets[++one->rows] = at;
}

/* A text of nothing but spaces is no value. */
static int is_blank(place p, place end) {
    while (p < end && *p == ' ') p++;
    return p == end;
}

/* Writes a value to a column; behind the value. */
static place taken(place p, place end, int which, int64_t row, wanted *all) {
    column *one = all->columns + which;
    filled(one, row);
    int32_t at = one->offsets[row];
    if (!enough(one, at + (end - p))) {
        all->out_of_memory = 1;
        return NULL;
    }
    sink out = {.at = one->data + at, .inner = all->inner};
    uint8_t *valid = one->valid + row;
    int nested = p < end && (*p == '{' || *p == '['), none = p < end && *p == 'n';
    if (one->kind == TEXT || (one->kind == DEEP_TEXT && !nested)) {
        p = text(p, end, &out, valid);
        if (is_blank(one->data + at, out.at)) *valid = 0;
    }
    else if (one->kind == JSON && none) p = word(p, end, "null", 4, &(sink){0});
    else *valid = 1, p = value(p, end, 1, &out);
    one->doubt = out.doubtful != 0;
    one->offsets[row + 1] = at + (*valid ? (int32_t)(out.at - one->data) - at : 0);
    one->touched = all->touched, all->touched = which;
    return p;
}

static place member(place p, place end, int at, int64_t row, wanted *all);

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

/* What is wanted inside a value that was found right. */
static int inside(place p, place end, int first, int64_t row, wanted *all) {
    int list = *p == '[';
    if (!list && *p != '{') return 1;
    p = spaces(p + 1, end);
    if (*p == ']' || *p == '}') return 1;
    for (int64_t position = 0;; position++) {
        key own;
        p = list ? spaces(p, end) : named(p, end, &own);
        int at = list ? of_position(all, first, position) : of_name(all, first, own);
        p = at < 0 ? value(p, end, 1, &(sink){0}) : member(p, end, at, row, all);
        if (!p) return 0;
        p = spaces(p, end);
        if (*p++ != ',') return 1;
    }
}

/* Behind a value of which something is wanted; null when it is not right. */
static place member(place p, place end, int at, int64_t row, wanted *all) {
    const node *one = all->nodes + at;
    place next = NULL;
    if (one->text >= 0 && !(next = taken(p, end, one->text, row, all))) return NULL;
    if (one->json >= 0 && !(next = taken(p, end, one->json, row, all))) return NULL;
    if (!next && !(next = value(p, end, 1, &(sink){.inner = all->inner}))) return NULL;
    return one->inside < 0 || inside(p, end, one->inside, row, all) ? next : NULL;
}

/* One line; 0 when the judge is to be asked. What it wrote counts when it is settled. */
static int record(place p, place end, int64_t row, names *known, const int *roots, int root_count, wanted *all) {
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
        p = which < root_count ? member(p, end, roots[which], row, all)
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
    for (; all->touched >= 0; all->touched = all->columns[all->touched].touched) {
        column *one = all->columns + all->touched;
        if (right) one->rows = row + 1, one->doubtful |= one->doubt;
        else one->valid[row] = 0;
    }
}

static uint8_t *told(uint8_t *out, key one) {
    int32_t length = (int32_t)one.length;
    memcpy(out, &length, 4);
    memcpy(out + 4, one.name, (size_t)length);
    return out + 4 + length;
}

/* Judge the lines of a text of less than 2 GB; `ends` are the places where the next ones begin, and `newline` is how many
 * bytes before that a line ends. `asked` becomes 1 for the lines of which the judge of record is asked; the others are
 * records. Node 0 of `nodes` is the record itself. The data of a column are of this library's allocation, and the
 * caller's to give back. `written_keys` gets the length (4 bytes) and the bytes of each key that a record has; its room
 * is that of the text and 4 bytes for each of 256 keys. Returns how much of it was used, or -1 when memory is out. With
 * `inner_written` (of room for the text and 4 bytes for each of 1,024 keys) the keys below are told too, and `inner_used`
 * says how much that took: -1 when there were too many. */
int64_t auditbook_scan(
    const uint8_t *text, const int64_t *ends, int32_t newline, int64_t lines, const node *nodes, column *columns,
    int32_t count, uint8_t *asked, uint8_t *written_keys, uint8_t *inner_written,
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
    for (int n = 0; n < count; n++) columns[n].offsets[0] = 0;
    for (int64_t line = 0; line < lines && !all.out_of_memory; line++) {
        place begin = text + (line ? ends[line - 1] : 0), end = text + ends[line] - newline;
        int right = record(begin, end, row, &known, roots, root_count, &all);
        settled(right, row, &all);
        asked[line] = (uint8_t)!right;
        row += right;
    }
    for (int n = 0; n < count; n++)
        if (columns[n].rows) filled(columns + n, row);
    uint8_t *out = written_keys, *below = inner_written;
    for (int n = 0; n < known.count; n++)
        if (known.seen[n]) out = told(out, known.keys[n]);
    for (int n = 0; below && n < inner.count; n++) below = told(below, inner.keys[n]);
    *inner_used = inner.more ? -1 : below - inner_written;
    return all.out_of_memory ? -1 : out - written_keys;
}

/* The way into an envelope: its keys, one inside the other. */
typedef struct {
    int32_t depth;
    place names[MOST_WAYS];
    int64_t lengths[MOST_WAYS];
} way;

/* The value at the end of a way; `begin` is null when there is none. 0 when something is not certain. */
static int at_end(place p, place end, const way *one, int depth, place *begin, place *behind) {
    *begin = NULL;
    p = spaces(p, end);
    if (p >= end || *p != '{') return 1;
    p = spaces(p + 1, end);
    if (p < end && *p == '}') return 1;
    for (;;) {
        key own;
        if (!(p = named(p, end, &own))) return 0;
        place next = value(p, end, 1, &(sink){0});
        if (!next) return 0;
        if (same(own, one->names[depth], one->lengths[depth])) {
            if (depth + 1 < one->depth) return at_end(p, next, one, depth + 1, begin, behind);
            *begin = p, *behind = next;
            return 1;
        }
        p = spaces(next, end);
        if (p >= end || *p++ != ',') return 1;
    }
}

/* An object without what is at the end of a way, in the order of the engine's merge patch: what is cut comes last. */
static int around(place p, place end, const way *one, int depth, sink *out) {
    place cut = NULL;
    int some = 0;
    copy(out, (place) "{", (place) "{" + 1);
    p = spaces(spaces(p, end) + 1, end);
    while (p < end && *p != '}') {
        key own;
        if (!(p = named(p, end, &own))) return 0;
        if (same(own, one->names[depth], one->lengths[depth])) {
            cut = p;
            if (!(p = value(p, end, 1, &(sink){0}))) return 0;
        } else {
            if (some++) copy(out, (place) ",", (place) "," + 1);
            copy(out, own.name - 1, own.name + own.length + 1);
            copy(out, (place) ":", (place) ":" + 1);
            if (!(p = value(p, end, 1, out))) return 0;
        }
        p = spaces(p, end);
        if (p < end && *p == ',') p = spaces(p + 1, end);
    }
    if (p >= end) return 0;
    if (cut && depth + 1 < one->depth) {
        if (some) copy(out, (place) ",", (place) "," + 1);
        copy(out, (place) "\"", (place) "\"" + 1);
        copy(out, one->names[depth], one->names[depth] + one->lengths[depth]);
        copy(out, (place) "\":", (place) "\":" + 2);
        if (!around(cut, end, one, depth + 1, out)) return 0;
    }
    copy(out, (place) "}", (place) "}" + 1);
    return !out->doubtful;
}

/* Writes the object that a value is, or that it has as a text, without its last brace; `out->at` does not move when it is
 * none. 0 when something is not certain. */
static int inner_object(place p, place end, sink *out) {
    uint8_t *first = out->at;
    int found = 0;
    if (*p == '{') {
        if (!value(p, end, 1, out) || out->doubtful) return 0;
        out->at--;
        return 1;
    }
    if (*p != '"') return 1;
    place behind = string(p + 1, end, &found);
    if (!behind || found & HAS_NUL) return 0;
    uint8_t *last = unescaped(first, p + 1, behind - 1);
    place begin = first;
    while (begin < last && (*begin == ' ' || (*begin >= '\t' && *begin <= '\r' && *begin != '\v'))) begin++;
    while (last > begin && (last[-1] == ' ' || (last[-1] >= '\t' && last[-1] <= '\r' && last[-1] != '\v'))) last--;
    if (begin == last || *begin != '{') return 1;
    if (value(begin, last, 1, &(sink){0}) != last) return 0;
    memmove(first, begin, (size_t)(last - 1 - begin));
    out->at = first + (last - 1 - begin);
    return 1;
}

/* The record inside a record, what is around it under `envelope`; the record as it is when it is in none. Null when
 * something is not certain. */
static uint8_t *opened(place p, place end, const way *ways, int count, uint8_t *out) {
    for (int n = 0; n < count; n++) {
        place begin, behind;
        sink inside = {.at = out};
        if (!at_end(p, end, ways + n, 0, &begin, &behind)) return NULL;
        if (!begin) continue;
        if (!inner_object(begin, behind, &inside)) return NULL;
        if (inside.at == out) continue;
        if (spaces(out + 1, inside.at) != inside.at) copy(&inside, (place) ",", (place) "," + 1);
        copy(&inside, (place) "\"envelope\":", (place) "\"envelope\":" + 11);
        if (!around(p, end, ways + n, 0, &inside)) return NULL;
        copy(&inside, (place) "}", (place) "}" + 1);
        return inside.at;
    }
    memcpy(out, p, (size_t)(end - p));
    return out + (end - p);
}

/* Take records, which were judged right, out of their envelopes. `out` has room for the text and 32 bytes for each record;
 * `offsets` are told where each begins, and where the last one ends. 0 when something is not certain. */
int32_t auditbook_open(
    const uint8_t *text, const int64_t *ends, int64_t records, const way *ways, int32_t count, uint8_t *out,
    int32_t *offsets) {
    uint8_t *at = out;
    for (int64_t row = 0; row < records; row++) {
        offsets[row] = (int32_t)(at - out);
        if (!(at = opened(text + (row ? ends[row - 1] : 0), text + ends[row], ways, count, at))) return 0;
    }
    offsets[records] = (int32_t)(at - out);
    return 1;
}

/* A key of a mapping. Those that differ in case only are one kind, of which the last is the one that others become. */
typedef struct {
    place name;
    int64_t length;
    int32_t next;   /* the next one in the same place of the table, counted from 1 */
    int32_t kind;   /* the last one of its kind */
    place other;    /* of a kind: the first other spelling in this record; null for none */
    int64_t there;  /* of a kind: the last record that has it as it should be */
} spelling;

static uint32_t folded(key one) {
    uint32_t hash = 2166136261u;
    for (int64_t n = 0; n < one.length; n++) {
        uint8_t c = one.name[n];
        hash = (hash ^ (c >= 'A' && c <= 'Z' ? c + 32 : c)) * 16777619u;
    }
    return hash % PLACES_OF_SPELLINGS;
}

static int same_but_case(key a, key b) {
    if (a.length != b.length) return 0;
    for (int64_t n = 0; n < a.length; n++) {
        uint8_t x = a.name[n], y = b.name[n];
        if (x != y && ((x ^ y) != 32 || (x | 32) < 'a' || (x | 32) > 'z')) return 0;
    }
    return 1;
}

/* The next key, whatever it is inside of; its length is -1 at the end, and -2 when something is not certain. */
static key next_key(place *p, place end) {
    while (*p < end) {
        int escapes = 0;
        if (*(*p)++ != '"') continue;
        key own = {*p, 0};
        if (!(*p = string(*p, end, &escapes))) return (key){NULL, -2};
        own.length = *p - 1 - own.name;
        place behind = spaces(*p, end);
        if (behind >= end || *behind != ':') continue;
        /* A Kelvin sign is a k in another case. */
        for (int64_t n = 0; n + 2 < own.length; n++)
            if (own.name[n] == 0xE2 && own.name[n + 1] == 0x84 && own.name[n + 2] == 0xAA) return (key){NULL, -2};
        if (escapes) return (key){NULL, -2};
        *p = behind + 1;
        return own;
    }
    return (key){NULL, -1};
}

static int before(key a, place name, int64_t length) {
    int order = memcmp(a.name, name, (size_t)(a.length < length ? a.length : length));
    return order ? order < 0 : a.length < length;
}

/* The spelling that a key should have: null when it is right, unknown, or there is one of its kind already. */
static spelling *meant(spelling *known, const uint16_t *places, key own) {
    spelling *kind = NULL;
    for (int n = places[folded(own)]; n; n = known[n - 1].next) {
        spelling *one = known + n - 1;
        if (same(own, one->name, one->length)) return one;
        if (same_but_case(own, (key){one->name, one->length})) kind = known + one->kind;
    }
    return kind;
}

/* Spell the keys of records as a mapping has them, wherever they are in them, unless the record has those too. `known` are
 * its keys in their order, all of ASCII. `out` has room for the text. Returns how many keys were spelled otherwise, or -1
 * when something is not certain. */
int64_t auditbook_spell(
    const uint8_t *text, const int64_t *ends, int64_t records, spelling *known, int32_t count, uint8_t *out,
    int32_t *offsets) {
    uint16_t places[PLACES_OF_SPELLINGS] = {0};
    uint8_t *at = out;
    int64_t changed = 0;
    for (int n = count - 1; n >= 0; n--) {
        spelling *kind = meant(known, places, (key){known[n].name, known[n].length});
        uint32_t hash = folded((key){known[n].name, known[n].length});
        known[n].kind = kind ? kind->kind : n, known[n].there = -1;
        known[n].next = places[hash], places[hash] = (uint16_t)(n + 1);
    }
    for (int64_t row = 0; row < records; row++) {
        place begin = text + (row ? ends[row - 1] : 0), end = text + ends[row], p = begin;
        int others = 0;
        key own;
        offsets[row] = (int32_t)(at - out);
        while ((own = next_key(&p, end)).length >= 0) {
            spelling *one = meant(known, places, own);
            if (!one) continue;
            if (same(own, one->name, one->length)) one->there = row;
            else if (!one->other || before(own, one->other, one->length)) one->other = own.name, others++;
        }
        if (own.length == -2) return -1;
        for (p = begin; others && (own = next_key(&p, end)).length >= 0;) {
            spelling *one = meant(known, places, own);
            if (!one || one->there == row || !one->other || !same(own, one->other, one->length)) continue;
            memcpy(at, begin, (size_t)(own.name - begin));
            at += own.name - begin;
            memcpy(at, one->name, (size_t)one->length);
            at += one->length;
            *at++ = '"', *at++ = ':';
            begin = p;
            changed++;
        }
        if (others) for (int n = 0; n < count; n++) known[n].other = NULL;
        memcpy(at, begin, (size_t)(end - begin));
        at += end - begin;
    }
    offsets[records] = (int32_t)(at - out);
    return changed;
}

/* Figures of a fixed count; -1 when one is none. */
static int32_t figures(place p, int count) {
    int32_t value = 0;
    for (; count; count--, p++) {
        if (*p < '0' || *p > '9') return -1;
        value = value * 10 + (*p - '0');
    }
    return value;
}

/* Days since 1970, counted in years that begin in March, so that the leap day comes last. */
static int64_t days(int year, int month, int day) {
    year -= month <= 2;
    int march = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    return 365ll * year + year / 4 - year / 100 + year / 400 + march - 719468;
}

/* What a text is a time of: see auditbook_times. */
static uint8_t moment(place p, place end, int epoch, int64_t *micros) {
    static const uint8_t most[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t length = end - p;
    if (epoch && length >= 9 && length <= 13 && *p != '0' && *p >= '0' && *p <= '9') {
        int32_t high = figures(p, (int)length - 6), low = figures(end - 6, 6);
        if (high < 0 || low < 0) return NOT_USUAL;
        *micros = ((int64_t)high * 1000000 + low) * (length < 12 ? 1000000 : 1000);
        return length < 12 ? EPOCH : EPOCH + FINER;
    }
    if (length < 19 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != ' ') || p[13] != ':' || p[16] != ':')
        return NOT_USUAL;
    int32_t year = figures(p, 4), month = figures(p + 5, 2), day = figures(p + 8, 2);
    int32_t hour = figures(p + 11, 2), minute = figures(p + 14, 2), second = figures(p + 17, 2), offset = 0;
    if (year <= FIRST_YEAR || year >= LAST_YEAR || month < 1 || month > 12 || day < 1 || day > most[month]) return NOT_USUAL;
    if (month == 2 && day == 29 && (year % 4 || (year % 100 == 0 && year % 400))) return NOT_USUAL;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return NOT_USUAL;
    int64_t fraction = 0, unit = 100000;
    p += 19;
    int finer = p < end && *p == '.';
    if (finer) {
        if (++p >= end || *p < '0' || *p > '9') return NOT_USUAL;
        for (; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10) {
            if (!unit) return NOT_USUAL;
            fraction += unit * (*p - '0');
        }
    }
    int local = p == end;
    if (!local && !(*p == 'Z' && end - p == 1)) {
        if (end - p != 6 || (*p != '+' && *p != '-') || p[3] != ':') return NOT_USUAL;
        int32_t hours = figures(p + 1, 2), minutes = figures(p + 4, 2);
        if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59) return NOT_USUAL;
        offset = (hours * 60 + minutes) * (*p == '-' ? -60 : 60);
    }
    *micros = (((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second - offset) * 1000000 + fraction;
    return (uint8_t)((local ? LOCAL : ZONED) + (finer ? FINER : 0));
}

/* Read times as most logs write them: `how` is NOT_USUAL (0) for what others must read, else what the text is, and FINER
 * when it says more than the second. `epoch` when numbers are seconds or milliseconds since 1970. */
void auditbook_times(
    const uint8_t *text, const int32_t *offsets, int64_t rows, int32_t epoch, int64_t *micros, uint8_t *how) {
    for (int64_t row = 0; row < rows; row++)
        how[row] = moment(text + offsets[row], text + offsets[row + 1], epoch, micros + row);
}

void auditbook_give_back(uint8_t *data) { free(data); }

/* Changes with whatever the caller must know of the above: a library that was built for another caller is left alone. */
int32_t auditbook_interface(void) { return 4; }
