/* runtime/connect/modbus_lib.h: libmodbus as a table of functions, loaded when first needed.
 *
 * There is no static libmodbus in Debian and a Lite binary may not ask its target for more than
 * glibc: the system's library is taken when it is there, else the copy inside this program. */
#ifndef TUTTI_CONNECT_MODBUS_LIB_H
#define TUTTI_CONNECT_MODBUS_LIB_H

#include "base/status.h"

typedef struct ModbusCtx ModbusCtx; /* modbus_t */

typedef struct ModbusLib {
    ModbusCtx *(*new_tcp_pi)(const char *node, const char *service);
    int (*set_slave)(ModbusCtx *ctx, int slave);
    int (*set_response_timeout)(ModbusCtx *ctx, uint32_t seconds, uint32_t microseconds);
    int (*connect)(ModbusCtx *ctx);
    int (*get_socket)(ModbusCtx *ctx);
    void (*close)(ModbusCtx *ctx);
    void (*free)(ModbusCtx *ctx);
    const char *(*strerror)(int error);
    int (*read_bits)(ModbusCtx *ctx, int address, int count, uint8_t *dest);
    int (*read_input_bits)(ModbusCtx *ctx, int address, int count, uint8_t *dest);
    int (*read_registers)(ModbusCtx *ctx, int address, int count, uint16_t *dest);
    int (*read_input_registers)(ModbusCtx *ctx, int address, int count, uint16_t *dest);
} ModbusLib;

/* Any thread; loads once and remembers. ST_UNSUPPORTED when there is neither library. */
MUST Status connect__modbus_lib(const ModbusLib **ret_lib, Diag *diag);
/* For tests: loads the copy inside the program even if the system has the library. */
MUST Status connect__modbus_lib_embedded(ModbusLib *ret_lib, Diag *diag);

#endif
