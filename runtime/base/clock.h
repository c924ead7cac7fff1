/* runtime/base/clock.h: the one clock. Nanoseconds everywhere. */
#ifndef TUTTI_BASE_CLOCK_H
#define TUTTI_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_US ((int64_t)1000)
#define NS_PER_MS ((int64_t)1000000)
#define NS_PER_S  ((int64_t)1000000000)

int64_t clock_wall_ns(void);      /* since 1970-01-01T00:00:00Z, may jump */
int64_t clock_monotonic_ns(void); /* for timers and ages, never jumps back */

#endif
