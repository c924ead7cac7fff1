/* runtime/connect/modbus_map.h: the register list of a device: read from JSON, planned, decoded. */
#ifndef TUTTI_CONNECT_MODBUS_MAP_H
#define TUTTI_CONNECT_MODBUS_MAP_H

#include "base/json.h"

enum { MODBUS_POINTS_MAX = 256, MODBUS_NAME_MAX = 64 };

typedef enum ModbusArea { MODBUS_HOLDING, MODBUS_INPUT, MODBUS_COIL, MODBUS_DISCRETE } ModbusArea;
typedef enum ModbusType {
    MODBUS_F32,
    MODBUS_F64,
    MODBUS_I16,
    MODBUS_U16,
    MODBUS_I32,
    MODBUS_U32,
    MODBUS_I64,
    MODBUS_U64,
    MODBUS_BOOL
} ModbusType;
typedef enum ModbusOrder { MODBUS_ABCD, MODBUS_CDAB, MODBUS_BADC, MODBUS_DCBA } ModbusOrder;

typedef struct ModbusPoint {
    char name[MODBUS_NAME_MAX];
    ModbusArea area;
    ModbusType type;
    ModbusOrder order;
    uint16_t address, count; /* registers or bits */
    uint16_t range, offset;  /* in which read, and where inside it */
    double scale, plus;      /* the value is what is read * scale + plus */
    bool tag;                /* value, quality and time; else the value alone */
} ModbusPoint;

typedef struct ModbusRange { /* one request */
    ModbusArea area;
    uint16_t address, count;
    bool tags; /* all its points are; else none is */
} ModbusRange;

typedef struct ModbusMap {
    ModbusPoint points[MODBUS_POINTS_MAX];
    ModbusRange ranges[MODBUS_POINTS_MAX];
    uint32_t point_count, range_count;
} ModbusMap;

/* `registers`: the JSON list of the connectors README. Neighbours are read in one request. */
MUST Status connect__modbus_map(const Json *registers, ModbusMap *ret_map, Diag *diag);
/* Writes one point's value. `words`: its registers as received (host order), or bits as 0 and 1. */
void connect__modbus_value(const ModbusPoint *point, const uint16_t *words, JsonOut *out);

#endif
