/* tests/bench/peer_simdjson.cpp: the work item with simdjson On-Demand, keys in any order.
 *
 * One iterate() per record, as messages arrive from a broker. Everything but reading is the code of
 * limit_window.h and scan_time, compiled as C in peer_simdjson.c. */
#include <simdjson.h>

#include <cstring>
#include <string_view>

using namespace simdjson;

/* What the C side needs of a record; the same struct is in peer_simdjson.c. */
struct SimdRecord {
    const char *time, *machine;
    unsigned time_len, machine_len;
    double temp, pressure;
    int64_t rpm;
    int run;
};

static ondemand::parser parser;

/* `room` bytes from p on may be read. 0: not what it should be. */
extern "C" int simd_record(const char *p, size_t len, size_t room, SimdRecord *ret)
{
    ondemand::document document;
    ondemand::object object;
    std::string_view time, machine, state;
    if (parser.iterate(p, len, room).get(document) || document.get_object().get(object) ||
        object.find_field_unordered("ts").get_string().get(time) ||
        object.find_field_unordered("machine").get_string().get(machine) ||
        object.find_field_unordered("temp").get_double().get(ret->temp) ||
        object.find_field_unordered("pressure").get_double().get(ret->pressure) ||
        object.find_field_unordered("rpm").get_int64().get(ret->rpm) ||
        object.find_field_unordered("state").get_string().get(state))
        return 0;
    ret->time = time.data();
    ret->time_len = (unsigned)time.size();
    ret->machine = machine.data();
    ret->machine_len = (unsigned)machine.size();
    ret->run = state == "RUN";
    return 1;
}
