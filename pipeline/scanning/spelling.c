/* The keys of records in their mapping's spelling, as records.py spells them with the engine. */
#include "json.h"

#define PLACES_OF_SPELLINGS 4096

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
            else if (!one->other || before(own, (key){one->other, one->length})) one->other = own.name, others++;
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
