/* runtime/bus/bus_sim.h: a bus with seeded faults, for tests only.
 *
 * The local bus behind a seeded generator: events are delayed by some turns, doubled or dropped,
 * and overtake each other across subjects, never within one. Requests are only delayed. It is
 * what a module must bear on a real network. No program links it but tests. */
#ifndef TUTTI_BUS_SIM_H
#define TUTTI_BUS_SIM_H

#include "bus/bus.h"

typedef struct BusFaults {
    uint64_t seed;                         /* print it: the same seed gives the same run */
    uint32_t drop_percent, double_percent; /* of events */
    uint32_t delay_turns_max;              /* 0 = none */
} BusFaults;

MUST Status bus_sim_open(Loop *loop, const BusFaults *faults, Bus **ret_bus);

#endif
