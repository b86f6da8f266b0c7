/* Hashes of texts and of what stands around them: SHA-256, by the library that Python's own hashes come from. */
#include <stdint.h>
#include <string.h>

#define STATE 256 /* more than a state of SHA-256 takes in any version of that library */
#define DIGEST 32

typedef int (*begins)(void *state);
typedef int (*takes)(void *state, const void *text, size_t length);
typedef int (*ends)(uint8_t *digest, void *state);

/* Texts as Arrow has them: text n lies between ends[n] and the next. */
typedef struct {
    const uint8_t *data;
    const int32_t *ends;
} texts;

static int take_one(takes take, uint8_t *state, const texts *from, int64_t n) {
    int32_t begin = from->ends[n], end = from->ends[n + 1];
    return begin == end || take(state, from->data + begin, (size_t)(end - begin));
}

/* Of each text the first hexadecimal digits, an even number of them, of the hash of `around` 0, the name of whose number
 * is `name`, `around` 1, the text and `around` 2. Returns 0 when the library would not. */
int32_t auditbook_hashes(
    begins begin, takes take, ends end, const texts *around, const texts *names, const int32_t *name,
    const texts *of, int64_t count, int32_t digits, uint8_t *made
) {
    static const char hexadecimal[] = "0123456789abcdef";
    _Alignas(16) uint8_t begun[STATE], state[STATE];
    uint8_t digest[DIGEST];
    for (int64_t n = 0; n < count; n++) {
        if (!n || name[n] != name[n - 1])
            if (!begin(begun) || !take_one(take, begun, around, 0) || !take_one(take, begun, names, name[n])
                || !take_one(take, begun, around, 1))
                return 0;
        memcpy(state, begun, STATE);
        if (!take_one(take, state, of, n) || !take_one(take, state, around, 2) || !end(digest, state)) return 0;
        for (int place = 0; place < digits / 2; place++) {
            *made++ = (uint8_t)hexadecimal[digest[place] >> 4];
            *made++ = (uint8_t)hexadecimal[digest[place] & 15];
        }
    }
    return 1;
}
