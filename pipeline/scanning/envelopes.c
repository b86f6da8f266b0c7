/* Records out of their envelopes, as records.py opens them with the engine. */
#include "json.h"

#define MOST_WAYS 8

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
        place next = beyond(p, end);
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
            p = beyond(p, end);
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
