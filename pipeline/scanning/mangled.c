/* Lines that may be UTF-8 that was read as another code page: few, as a rule, and looked at closely by who asks. */
#include <stdint.h>
#include <string.h>

typedef const uint8_t *place;

#define BEYOND 0x8080808080808080u
#define EVERY(byte) (0x0101010101010101u * (byte))

/* Whether one of eight bytes is beyond ASCII, or a backslash; now and then it says so of one that is not. */
static int calls(uint64_t eight) {
    uint64_t slash = eight ^ EVERY('\\');
    return ((eight | ((slash - EVERY(1)) & ~slash)) & BEYOND) != 0;
}

/* The character that begins at a byte beyond ASCII, and where it ends; 0 for what is none, or beyond two bytes. */
static uint32_t character(place p, place end, place *after) {
    int more = *p >= 0xF0 ? 3 : *p >= 0xE0 ? 2 : 1;
    *after = end - p > more ? p + more + 1 : end;
    if (end - p <= more || more == 3) return 0;
    return more == 1 ? (uint32_t)(*p & 0x1F) << 6 | (p[1] & 0x3F)
                     : (uint32_t)(*p & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
}

/* \u00c0 to \u00ff and \u0e20 to \u0e5f, in small letters as programs write them. */
static int is_escape(place p, place end) {
    if (end - p < 6 || p[1] != 'u' || p[2] != '0') return 0;
    return p[3] == '0' ? p[4] >= 'c' && p[4] <= 'f' : p[3] == 'e' && p[4] >= '2' && p[4] <= '5';
}

static int bit(place set, uint32_t number) { return set[number >> 3] >> (number & 7) & 1; }

/* Marks the texts in which a character of one set stands before one of the other, or an escape of such a character; the
 * sets are bits of two bytes' characters. */
void auditbook_mangled(place data, const int32_t *offsets, int64_t rows, place firsts, place others, uint8_t *marked) {
    memset(marked, 0, (size_t)rows);
    place p = data + offsets[0], end = data + offsets[rows];
    int64_t row = 0;
    uint32_t before = 0;
    place ended = NULL; /* where the character before ends */
    while (p < end) {
        uint64_t eight;
        if (end - p >= 8 && (memcpy(&eight, p, 8), !calls(eight))) {
            p += 8;
            continue;
        }
        place stop = end - p >= 8 ? p + 8 : end;
        while (p < stop) {
            place here = p;
            int found = 0;
            if (*p >= 0x80) {
                uint32_t one = character(p, end, &p);
                found = ended == here && bit(firsts, before) && bit(others, one);
                before = one, ended = p;
            } else {
                found = *p == '\\' && is_escape(p, end);
                p++;
            }
            if (found) {
                while (data + offsets[row + 1] <= here) row++;
                marked[row] = 1;
            }
        }
    }
}
