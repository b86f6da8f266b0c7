/* Strict JSON, passed over and copied: what the parts of this library have in common.
 *
 * A value is right when it is in UTF-8, without a key twice in one object and with no number that needs a thought. Of
 * everything else, and of whatever is not looked at closely here, the judge of record is asked: an answer of ours that
 * it would not give is a fault, asking it too often is not.
 */
#ifndef AUDITBOOK_JSON_H
#define AUDITBOOK_JSON_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_DEPTH 64
#define MOST_NESTED_KEYS 128
#define MOST_INNER_KEYS 1024
#define PLACES_OF_INNER_KEYS 4096
#define MOST_DIGITS 200
#define SURE_DIGITS 15
#define SURE_INTEGER_DIGITS 18

/* A text or a JSON value at the top of a record, as DuckDB's from_json has them, or below, as its json_extract has. */
enum { TEXT = 0, JSON = 1, DEEP_TEXT = 2, DEEP_JSON = 3 };
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

static inline place spaces(place p, place end) {
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
    return p;
}

/* Which byte, in their order in memory, is the first of a word that has its top bit set. Subtractions borrow from later
 * bytes only, so where bytes lie lowest first that one is certain; elsewhere the search goes on byte by byte. */
static inline int first_marked(uint64_t tops) {
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return __builtin_ctzll(tops) >> 3;
#else
    (void)tops;
    return 0;
#endif
}

/* Eight bytes at a time, as long as none of them ends a text, escapes, is a control or not ASCII; to the first that is. */
static inline place usual(place p, place end) {
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
static inline place beyond_ascii(place p, place end) {
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

static inline int hex4(place p, place end) {
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
static inline int32_t escaped(place *p, place end) {
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
static inline place string(place p, place end, int *found) {
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

/* To the next quote or backslash, eight bytes at a time. */
static inline place quote_or_slash(place p, place end) {
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    for (; end - p >= 8; p += 8) {
        uint64_t x;
        memcpy(&x, p, 8);
        uint64_t quote = x ^ (ones * '"'), slash = x ^ (ones * '\\');
        uint64_t found = (((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & tops;
        if (found) {
            p += first_marked(found);
            break;
        }
    }
    while (p < end && *p != '"' && *p != '\\') p++;
    return p;
}

/* Behind a value that was found right. */
static inline place beyond(place p, place end) {
    int64_t depth = 0;
    do {
        uint8_t c = *p++;
        if (c == '"') {
            while ((p = quote_or_slash(p, end)) < end && *p++ == '\\') p++;
        } else if (c == '{' || c == '[') depth++;
        else if (c == '}' || c == ']') depth--;
        else if (!depth) while (p < end && *p > ' ' && *p != ',' && *p != '}' && *p != ']') p++;
    } while (depth && p < end);
    return p;
}

static inline uint8_t *written(uint8_t *out, int32_t c) {
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
static inline uint8_t *unescaped(uint8_t *out, place p, place end) {
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
static inline place number(place p, place end, int *sure) {
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

static inline void copy(sink *out, place from, place to) {
    if (!out->at) return;
    memcpy(out->at, from, (size_t)(to - from));
    out->at += to - from;
}

static inline int same(key a, place name, int64_t length) {
    return a.length == length && !memcmp(a.name, name, (size_t)length);
}

static inline int before(key a, key b) {
    int order = memcmp(a.name, b.name, (size_t)(a.length < b.length ? a.length : b.length));
    return order ? order < 0 : a.length < b.length;
}

/* From before a member's key to its value; a key with an escape in it is left to the judge. */
static inline place named(place p, place end, key *found) {
    int escapes = 0;
    p = spaces(p, end);
    if (p >= end || *p != '"') return NULL;
    found->name = ++p;
    if (!(p = string(p, end, &escapes)) || escapes) return NULL;
    found->length = p - 1 - found->name;
    p = spaces(p, end);
    return p < end && *p == ':' ? spaces(p + 1, end) : NULL;
}

static inline void noted(inner_keys *all, key found) {
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

static inline place value(place p, place end, int depth, sink *out);

static inline place word(place p, place end, const char *text, size_t length, sink *out) {
    if ((size_t)(end - p) < length || memcmp(p, text, length)) return NULL;
    copy(out, p, p + length);
    return p + length;
}

static inline place list(place p, place end, int depth, sink *out) {
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

static inline place object(place p, place end, int depth, sink *out) {
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
static inline place value(place p, place end, int depth, sink *out) {
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

#endif
