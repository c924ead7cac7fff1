/* runtime/connect/modbus_lib.c: finds and loads libmodbus.
 *
 * The embedded copy is written to a memfd and opened through /proc/self/fd, so nothing touches the
 * disk. It stays a separate dynamic library (LGPL 2.1): a system library of the same interface
 * takes its place. */
#include "connect/modbus_lib.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef MODBUS_SO
__asm__(".pushsection .rodata\n"
        ".balign 16\n"
        "connect_modbus_so:\n"
        ".incbin \"" MODBUS_SO "\"\n"
        "connect_modbus_so_end:\n"
        ".byte 0\n"
        ".popsection\n");
extern const char connect_modbus_so[], connect_modbus_so_end[];
#else
static const char connect_modbus_so[1], *const connect_modbus_so_end = connect_modbus_so;
#endif

static ModbusLib loaded;
static Status loaded_status;
static char loaded_text[DIAG_TEXT_BYTES];
static pthread_once_t load_once = PTHREAD_ONCE_INIT;

static Status symbols_take(void *handle, ModbusLib *ret_lib, Diag *diag)
{
    static const struct {
        const char *name;
        size_t offset;
    } rows[] = {
        {"modbus_new_tcp_pi", offsetof(ModbusLib, new_tcp_pi)},
        {"modbus_set_slave", offsetof(ModbusLib, set_slave)},
        {"modbus_set_response_timeout", offsetof(ModbusLib, set_response_timeout)},
        {"modbus_connect", offsetof(ModbusLib, connect)},
        {"modbus_get_socket", offsetof(ModbusLib, get_socket)},
        {"modbus_close", offsetof(ModbusLib, close)},
        {"modbus_free", offsetof(ModbusLib, free)},
        {"modbus_strerror", offsetof(ModbusLib, strerror)},
        {"modbus_read_bits", offsetof(ModbusLib, read_bits)},
        {"modbus_read_input_bits", offsetof(ModbusLib, read_input_bits)},
        {"modbus_read_registers", offsetof(ModbusLib, read_registers)},
        {"modbus_read_input_registers", offsetof(ModbusLib, read_input_registers)},
    };
    ModbusLib lib;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *symbol = dlsym(handle, rows[i].name);
        if (!symbol) return diag_set(diag, ST_UNSUPPORTED, "libmodbus has no %s", rows[i].name);
        memcpy((char *)&lib + rows[i].offset, &symbol, sizeof symbol);
    }
    *ret_lib = lib;
    return ST_OK;
}

Status connect__modbus_lib_embedded(ModbusLib *ret_lib, Diag *diag)
{
    size_t bytes = (size_t)(connect_modbus_so_end - connect_modbus_so);
    if (!bytes) return diag_set(diag, ST_UNSUPPORTED, "libmodbus is not on this system");
    int fd = memfd_create("libmodbus", MFD_CLOEXEC);
    if (fd < 0) return diag_set(diag, ST_IO, "no memory file for libmodbus");
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = write(fd, connect_modbus_so + done, bytes - done);
        if (n <= 0) break;
        done += (size_t)n;
    }
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    void *handle = done == bytes ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    (void)close(fd);
    if (!handle) return diag_set(diag, ST_UNSUPPORTED, "libmodbus cannot be loaded");
    return symbols_take(handle, ret_lib, diag);
}

static void load(void)
{
    Diag diag = {0};
    void *handle = dlopen("libmodbus.so.5", RTLD_NOW | RTLD_LOCAL);
    loaded_status = handle ? symbols_take(handle, &loaded, &diag)
                           : connect__modbus_lib_embedded(&loaded, &diag);
    memcpy(loaded_text, diag.text, sizeof loaded_text);
}

Status connect__modbus_lib(const ModbusLib **ret_lib, Diag *diag)
{
    pthread_once(&load_once, load);
    if (loaded_status) return diag_set(diag, loaded_status, "%s", loaded_text);
    *ret_lib = &loaded;
    return ST_OK;
}
