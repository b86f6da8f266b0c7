/* Identities of records: SHA-256 of what they are called, by the library that Python's own hashes come from. */
#include <stdint.h>
#include <string.h>

#define STATE 256 /* more than a state of SHA-256 takes in any version of that library */
#define DIGEST 32
#define DIGITS 32

typedef int (*begins)(void *state);
typedef int (*takes)(void *state, const void *text, size_t length);
typedef int (*ends)(uint8_t *digest, void *state);

/* Of each text the first 32 hexadecimal digits of the hash of its prefix and it; `prefix` is a number for each text,
   and prefix n lies between prefix_ends[n] and the next. Returns 0 when the library would not. */
int32_t auditbook_uids(
    begins begin, takes take, ends end, const uint8_t *prefixes, const int32_t *prefix_ends, const int32_t *prefix,
    const uint8_t *texts, const int32_t *text_ends, int64_t count, uint8_t *made
) {
    static const char digits[] = "0123456789abcdef";
    _Alignas(16) uint8_t begun[STATE], state[STATE];
    uint8_t digest[DIGEST];
    int32_t last = -1;
    for (int64_t n = 0; n < count; n++) {
        int32_t one = prefix[n];
        if (one != last) {
            if (!begin(begun) || !take(begun, prefixes + prefix_ends[one], (size_t)(prefix_ends[one + 1] - prefix_ends[one])))
                return 0;
            last = one;
        }
        memcpy(state, begun, STATE);
        if (!take(state, texts + text_ends[n], (size_t)(text_ends[n + 1] - text_ends[n])) || !end(digest, state)) return 0;
        for (int place = 0; place < DIGITS / 2; place++) {
            *made++ = (uint8_t)digits[digest[place] >> 4];
            *made++ = (uint8_t)digits[digest[place] & 15];
        }
    }
    return 1;
}
