// The clock, and random numbers that a seed repeats.
#include <math.h>
#include <time.h>

#include "medium.h"

static uint64_t state = 88172645463325252ULL; // xorshift64

int64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

void seed_random(int seed) {
    state ^= (uint64_t)(seed + 1) * 0x9E3779B97F4A7C15ULL;
}

double uniform(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) * (1.0 / 9007199254740992.0);
}

double normal(void) {
    return sqrt(-2 * log(uniform() + 1e-12)) * cos(2 * M_PI * uniform());
}
