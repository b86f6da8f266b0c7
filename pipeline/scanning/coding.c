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
                && (!length || !memcmp(data + ends[first], text, (size_t)length))) {
                codes[row] = one;
                break;
            }
        }
    }
    free(places);
    free(known);
    return different;
}

#define TILE 256 /* rows whose combinations are made column by column */

/* A combination of numbers, and which it is, counted from 1. */
typedef struct {
    uint64_t combination;
    int64_t number;
} slot;

/* How many columns, from one on, can be combined at once with what goes before: one at least. */
static int64_t at_once(const int64_t *sizes, int64_t first, int64_t count, uint64_t before) {
    int64_t last = first;
    for (; last < count && before <= UINT64_MAX / (uint64_t)sizes[last]; last++) before *= (uint64_t)sizes[last];
    return last - first;
}

/* The same for the combinations of columns of numbers below `sizes`, which are 2^31 at most and count -1, none, too. */
int64_t auditbook_together(
    const int32_t **columns, const int64_t *sizes, int64_t count, int64_t rows, int64_t most, uint64_t seed,
    int32_t *codes, int64_t *firsts
) {
    uint64_t room = 64, tile[TILE];
    while (room < 2 * (uint64_t)most) room *= 2;
    slot *known = malloc(room * sizeof *known);
    int64_t different = known ? 1 : -2, first = 0, more;
    memset(codes, 0, (size_t)rows * sizeof *codes);
    do {
        more = at_once(sizes, first, count, (uint64_t)different);
        if (known) memset(known, 0, room * sizeof *known), different = 0;
        for (int64_t begin = 0; begin < rows && different >= 0; begin += TILE) {
            int64_t some = rows - begin < TILE ? rows - begin : TILE;
            for (int64_t n = 0; n < some; n++) tile[n] = (uint64_t)codes[begin + n];
            for (int64_t column = first; column < first + more; column++) {
                const int32_t *numbers = columns[column] + begin;
                uint64_t size = (uint64_t)sizes[column];
                for (int64_t n = 0; n < some; n++)
                    tile[n] = tile[n] * size + (numbers[n] < 0 ? size - 1 : (uint64_t)numbers[n]);
            }
            for (int64_t n = 0; n < some && different >= 0; n++) {
                uint64_t sum = (tile[n] ^ seed) * 0x9E3779B97F4A7C15u, at = (sum ^ sum >> 32) & (room - 1);
                while (known[at].number && known[at].combination != tile[n]) at = (at + 1) & (room - 1);
                if (!known[at].number && different == most) different = -1;
                else {
                    if (!known[at].number) firsts[different++] = begin + n, known[at] = (slot){tile[n], different};
                    codes[begin + n] = (int32_t)(known[at].number - 1);
                }
            }
        }
        first += more;
    } while (different > 0 && first < count);
    free(known);
    return different;
}
