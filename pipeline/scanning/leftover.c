/* What a mapping reads nothing from, as leftover.py has it made by the engine: of each record that was found right, its
 * members in the order of their keys, without what is read and without objects in which nothing is left. */
#include "json.h"

#define MOST_MEMBERS 256
#define MOST_BESIDE 128  /* keys that are read of one object */
#define MOST_KNOWN 1024  /* keys whose parts are remembered: places for 10 bits */
#define NEAR 8          /* places where one may be */
#define EMPTIED 3        /* objects inside one another that can be emptied: the engine is asked to so often */
#define NEVER (EMPTIED + 1)

/* A key of which something is read: all of it, when nothing is inside; `empty` is in how many turns an object of which
 * nothing else is left would be emptied. */
typedef struct {
    place name;
    int64_t length;
    int32_t inside, beside;  /* other parts; -1 for none */
    int32_t empty;
} part;

/* A key that was looked for before. */
typedef struct {
    key own;
    int32_t first, which, number;
} looked_up;

typedef struct {
    const part *parts;
    place end;
    sink out;
    looked_up *known;
} rest;

static int value_left(place *p, int inside, int depth, rest *of);

/* Which a key is among those beside one another from `first` on, and its part: -1 when it is none of them. */
static looked_up part_of(rest *of, int first, key own) {
    if (first < 0) return (looked_up){own, first, -1, 0};
    uint64_t sum = (uint64_t)own.length << 24 ^ (uint64_t)first;
    if (own.length)
        sum ^= (uint64_t)own.name[0] << 32 ^ (uint64_t)own.name[own.length / 2] << 40 ^ (uint64_t)own.name[own.length - 1] << 48;
    uint64_t at = sum * 0x9E3779B97F4A7C15u >> 54;
    looked_up *one = of->known + at;
    for (int n = 0; n < NEAR && one->own.name; n++, one = of->known + (at + (uint64_t)n) % MOST_KNOWN)
        if (one->first == first && same(own, one->own.name, one->own.length)) return *one;
    *one = (looked_up){own, first, first, 0};
    while (one->which >= 0 && !same(own, of->parts[one->which].name, of->parts[one->which].length))
        one->which = of->parts[one->which].beside, one->number++;
    return *one;
}

/* A text with which the engine would not tell its own writing from what is written. */
static int confusing(place text, int64_t length) { return length >= 3 && !memcmp(text, ":{}", 3); }

/* Writes a member, unless it is an object that is emptied in `turns`; how many more turns than itself that takes the
 * object around it, or NEVER. -1 when something is not certain. */
static int member_left(key own, place *p, int inside, int depth, int turns, rest *of) {
    uint8_t *before = of->out.at;
    if (before[-1] != '{') copy(&of->out, (place) ",", (place) "," + 1);
    copy(&of->out, (place) "\"", (place) "\"" + 1);
    copy(&of->out, own.name, own.name + own.length);
    copy(&of->out, (place) "\":", (place) "\":" + 2);
    int empty = value_left(p, inside, depth, of);
    if (empty < 0 || empty > turns) return empty < 0 ? -1 : NEVER;
    of->out.at = before;
    return empty + 1;
}

/* An object: as the engine's merge patch has it, what is read in part comes last. Returns as value_left. */
static int object_left(place *p, int inside, int depth, rest *of) {
    place found[MOST_BESIDE];
    int empty = 0, number = 0, more;
    for (int at = inside; at >= 0; at = of->parts[at].beside) {
        if (number == MOST_BESIDE) return -1;
        found[number++] = NULL;
    }
    copy(&of->out, *p, *p + 1);
    *p = spaces(*p + 1, of->end);
    while (**p != '}') {
        key own;
        if (!(*p = named(*p, of->end, &own)) || confusing(own.name, own.length)) return -1;
        looked_up one = part_of(of, inside, own);
        if (one.which >= 0) found[one.number] = *p, *p = beyond(*p, of->end);
        else {
            if ((more = member_left(own, p, -1, depth, EMPTIED - 1, of)) < 0) return -1;
            if (more > empty) empty = more;
        }
        *p = spaces(*p, of->end);
        if (**p == ',') *p = spaces(*p + 1, of->end);
    }
    ++*p;
    number = 0;
    for (int at = inside; at >= 0; at = of->parts[at].beside, number++) {
        const part *one = of->parts + at;
        if (one->inside < 0) continue;
        if (found[number] && *found[number] == '{')
            more = member_left((key){one->name, one->length}, found + number, one->inside, depth, EMPTIED - 1, of);
        else more = one->empty < EMPTIED ? one->empty + 1 : -1;  /* the engine puts an empty one there */
        if (more < 0) return -1;
        if (more > empty) empty = more;
    }
    copy(&of->out, (place) "}", (place) "}" + 1);
    return empty;
}

/* Writes a value, of an object what is not `inside`; in how many turns it is emptied, or NEVER. -1 when something is not
 * certain. */
static int value_left(place *p, int inside, int depth, rest *of) {
    if (depth > MOST_DEPTH) return -1;
    if (**p == '{') return object_left(p, inside, depth + 1, of);
    if (**p == '[') {
        copy(&of->out, *p, *p + 1);
        *p = spaces(*p + 1, of->end);
        while (**p != ']') {
            if (value_left(p, -1, depth + 1, of) < 0) return -1;
            *p = spaces(*p, of->end);
            if (**p == ',') {
                copy(&of->out, *p, *p + 1);
                *p = spaces(*p + 1, of->end);
            }
        }
        copy(&of->out, *p, *p + 1);
        ++*p;
        return NEVER;
    }
    if (**p == '"' && confusing(*p + 1, of->end - *p - 1)) return -1;
    *p = value(*p, of->end, depth, &of->out);
    return *p && !of->out.doubtful ? NEVER : -1;
}

/* One record; -1 when something is not certain, else whether something is left of it. */
static int record_left(place p, rest *of) {
    struct { key own; place at; int inside; } members[MOST_MEMBERS];
    int count = 0;
    p = spaces(spaces(p, of->end) + 1, of->end);
    while (*p != '}') {
        key own;
        if (!(p = named(p, of->end, &own))) return -1;
        int which = part_of(of, of->parts[0].inside, own).which, inside = which < 0 ? -1 : of->parts[which].inside;
        if (which < 0 || (inside >= 0 && *p != 'n')) {
            if (count == MOST_MEMBERS) return -1;
            int n = count++;
            for (; n && before(own, members[n - 1].own); n--) members[n] = members[n - 1];
            members[n].own = own, members[n].at = p, members[n].inside = inside;
        }
        p = spaces(beyond(p, of->end), of->end);
        if (*p == ',') p++;
    }
    copy(&of->out, (place) "{", (place) "{" + 1);
    place begin = of->out.at;
    for (int n = 0; n < count; n++)
        if (member_left(members[n].own, &members[n].at, members[n].inside, 1, EMPTIED, of) < 0) return -1;
    int some = of->out.at > begin;
    copy(&of->out, (place) "}", (place) "}" + 1);
    return some;
}

/* What is left of records that were found right; part 0 is the record itself. `out` has the room of the text, `valid` is 1
 * where something is left, and `asked` is 1 where the engine is to be asked. */
void auditbook_leftover(
    const uint8_t *text, const int64_t *ends, int64_t records, const part *parts, uint8_t *out, int32_t *offsets,
    uint8_t *valid, uint8_t *asked) {
    looked_up known[MOST_KNOWN] = {0};
    uint8_t *at = out;
    for (int64_t row = 0; row < records; row++) {
        rest of = {parts, text + ends[row], {.at = at}, known};
        int some = record_left(text + (row ? ends[row - 1] : 0), &of);
        asked[row] = some < 0, valid[row] = some > 0;
        offsets[row] = (int32_t)(at - out);
        if (some > 0) at = of.out.at;
    }
    offsets[records] = (int32_t)(at - out);
}
