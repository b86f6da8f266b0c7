/* Times as most logs write them. */
#include <stdint.h>
#include <string.h>

#define FIRST_YEAR 1970
#define LAST_YEAR 2200
#define NO_ZONE INT32_MAX

/* What a text is a time of. */
enum { NOT_USUAL = 0, ZONED = 1, EPOCH = 2, LOCAL = 3, FINER = 4 };

typedef const uint8_t *place;

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

/* Figures behind a point, as millionths; what is finer is cut off, as it is at the engine. -1 when there are none. */
static int64_t millionths(place *at, place end) {
    place p = *at;
    int64_t value = 0, unit = 100000;
    if (p >= end || *p < '0' || *p > '9') return -1;
    for (; p < end && *p >= '0' && *p <= '9'; p++, unit /= 10) value += unit * (*p - '0');
    *at = p;
    return value;
}

/* Seconds since 1970, with a fraction or without, or milliseconds. */
static uint8_t number(place p, place end, int64_t *micros) {
    place point = memchr(p, '.', (size_t)(end - p));
    int64_t length = (point ? point : end) - p, fraction = 0;
    if (length < 9 || length > (point ? 10 : 13)) return NOT_USUAL;
    int32_t high = figures(p, (int)length - 6), low = figures(p + length - 6, 6);
    if (high < 0 || low < 0 || (point && length == 10 && *p == '9')) return NOT_USUAL; /* the engine rounds these */
    if (point) {
        place begin = ++point;
        fraction = millionths(&point, end);
        if (fraction < 0 || point != end || end - begin > 6) return NOT_USUAL;
    }
    *micros = ((int64_t)high * 1000000 + low) * (length < 12 ? 1000000 : 1000) + fraction;
    return length < 12 && end - p == length ? EPOCH : EPOCH + FINER;
}

/* By how many seconds a zone is ahead of UTC: Z, +05:30, +0530 or +05; NO_ZONE for anything else. */
static int32_t zone(place p, place end) {
    int64_t length = end - p;
    if (length == 1 && *p == 'Z') return 0;
    if ((length != 6 || p[3] != ':') && length != 5 && length != 3) return NO_ZONE;
    if (*p != '+' && *p != '-') return NO_ZONE;
    int32_t hours = figures(p + 1, 2), minutes = length == 3 ? 0 : figures(end - 2, 2);
    if (hours < 0 || hours > 14 || minutes < 0 || minutes > 59) return NO_ZONE;
    return (hours * 60 + minutes) * (*p == '-' ? -60 : 60);
}

/* What a text is a time of: see auditbook_times. */
static uint8_t moment(place p, place end, int epoch, int64_t *micros) {
    static const uint8_t most[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t length = end - p;
    if (epoch && length >= 9 && *p != '0' && *p >= '0' && *p <= '9' && p[4] != '-') return number(p, end, micros);
    if (length < 19 || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != ' ') || p[13] != ':' || p[16] != ':')
        return NOT_USUAL;
    int32_t year = figures(p, 4), month = figures(p + 5, 2), day = figures(p + 8, 2);
    int32_t hour = figures(p + 11, 2), minute = figures(p + 14, 2), second = figures(p + 17, 2);
    if (year <= FIRST_YEAR || year >= LAST_YEAR || month < 1 || month > 12 || day < 1 || day > most[month]) return NOT_USUAL;
    if (month == 2 && day == 29 && (year % 4 || (year % 100 == 0 && year % 400))) return NOT_USUAL;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return NOT_USUAL;
    int64_t fraction = 0;
    p += 19;
    int finer = p < end && *p == '.';
    if (finer && (p++, fraction = millionths(&p, end)) < 0) return NOT_USUAL;
    int local = p == end;
    int32_t offset = local ? 0 : zone(p, end);
    if (offset == NO_ZONE) return NOT_USUAL;
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
