/* Texts that say the same few things again and again, as numbers of the different ones. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef const uint8_t *place;

/* Mixes the bytes of a text, eight at a time, with a number that nobody outside knows. */
static uint64_t mixed(place p, int64_t length, uint64_t seed) {
    const uint64_t odd = 0x9E3779B97F4A7C15u;
    uint64_t sum = seed ^ ((uint64_t)length * odd), eight;
    for (; length >= 8; p += 8, length -= 8) {
        memcpy(&eight, p, 8);
        sum = (sum ^ eight) * odd;
        sum ^= sum >> 29;
    }
    if (length) {
        eight = 0;
        memcpy(&eight, p, (size_t)length);
        sum = (sum ^ eight) * odd;
        sum ^= sum >> 29;
    }
    sum *= odd;
    return sum ^ (sum >> 32);
}

/* Numbers texts in the order in which they come first; -1 is none, where a bit of `valid` (if there are any, from bit
 * `first_bit` on) is 0. `firsts` has room for `most` rows, and gets that of each number. Returns how many are different:
 * -1 when there are more than `most`, -2 when memory is out. */
int64_t auditbook_codes(
    place data, const int32_t *ends, const uint8_t *valid, int64_t first_bit, int64_t count, int64_t most,
    uint64_t seed, int32_t *codes, int64_t *firsts
) {
    uint64_t room = 64;
    while (room < 2 * (uint64_t)most) room *= 2;
    int32_t *places = malloc(room * sizeof *places);
    uint32_t *known = malloc((size_t)(most + 1) * sizeof *known);
    int64_t different = !places || !known ? -2 : 0;
    if (!different) memset(places, 0xFF, room * sizeof *places);
    for (int64_t row = 0; row < count && different >= 0; row++) {
        int64_t bit = first_bit + row;
        if (valid && !(valid[bit >> 3] >> (bit & 7) & 1)) {
            codes[row] = -1;
            continue;
        }
        place text = data + ends[row];
        int64_t length = ends[row + 1] - ends[row];
        uint64_t sum = mixed(text, length, seed), at = sum & (room - 1);
        for (;; at = (at + 1) & (room - 1)) {
            int32_t one = places[at];
            if (one < 0) {
                if (different == most) {
                    different = -1;
                    break;
                }
                places[at] = (int32_t)different, known[different] = (uint32_t)(sum >> 32), firsts[different] = row;
                codes[row] = (int32_t)different++;
                break;
            }
            int64_t first = firsts[one];
            if (known[one] == (uint32_t)(sum >> 32) && ends[first + 1] - ends[first] == length
                && !memcmp(data + ends[first], text, (size_t)length)) {
                codes[row] = one;
                break;
            }
        }
    }
    free(places);
    free(known);
    return different;
}

/* The same for numbers below `size`: each gets the number of its coming first, and `firsts` the row. Returns how many are
 * different, or -2 when memory is out. */
int64_t auditbook_numbered(const int64_t *numbers, int64_t count, int64_t size, int64_t *codes, int64_t *firsts) {
    int64_t different = 0;
    int32_t *places = calloc((size_t)size, sizeof *places);
    if (!places) return -2;
    for (int64_t row = 0; row < count; row++) {
        int32_t *one = places + numbers[row];
        if (!*one) firsts[different++] = row, *one = (int32_t)different;
        codes[row] = *one - 1;
    }
    free(places);
    return different;
}
