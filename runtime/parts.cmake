# The rooms of the runtime, lowest layer first. Who may include whom is checked by `make check`.
tutti_library(base FOLDERS runtime/base)
# Powers of ten for number conversion are computed by a small program at build time.
add_executable(gen_pow10 ${CMAKE_SOURCE_DIR}/runtime/base/gen/pow10.c)
add_custom_command(OUTPUT ${GEN}/pow10.inc COMMAND gen_pow10 > ${GEN}/pow10.inc DEPENDS gen_pow10)
target_sources(base PRIVATE ${GEN}/pow10.inc)
static_part(LIB_UV libuv_a.a)
tutti_library(loop FOLDERS runtime/loop DEPENDS base ${LIB_UV} ${CMAKE_DL_LIBS})
static_part(LIB_SODIUM libsodium.a)
static_part(LIB_SQLITE libsqlite3.a)
static_part(LIB_CJOSE libcjose.a)
static_part(LIB_JANSSON libjansson.a)
static_part(LIB_CRYPTO libcrypto.a)
tutti_library(bus FOLDERS runtime/bus DEPENDS loop)
tutti_library(store FOLDERS runtime/store DEPENDS loop ${LIB_SQLITE} ${LIB_SODIUM} ${CMAKE_DL_LIBS})
static_part(LIB_SSL libssl.a)
tutti_library(tls FOLDERS runtime/tls DEPENDS base ${LIB_SSL} ${LIB_CRYPTO} ${CMAKE_DL_LIBS})
# The lexer of request heads is written by re2c; its output gets the generated code's warnings.
add_custom_command(OUTPUT ${GEN}/http_head.c
    COMMAND re2c -W -Werror -T -i --no-generation-date --no-version -o ${GEN}/http_head.c
            ${CMAKE_SOURCE_DIR}/runtime/http/head.re
    DEPENDS ${CMAKE_SOURCE_DIR}/runtime/http/head.re)
tutti_library(http FOLDERS runtime/http DEPENDS loop tls)
target_sources(http PRIVATE ${GEN}/http_head.c)
set_source_files_properties(${GEN}/http_head.c PROPERTIES COMPILE_OPTIONS "${GENERATED_WARNINGS}")
tutti_library(mqtt FOLDERS runtime/mqtt DEPENDS store tls)
tutti_library(connect FOLDERS runtime/connect DEPENDS mqtt ${CMAKE_DL_LIBS})
# Debian has no static libmodbus: the program carries the shared one and loads it when needed.
find_file(MODBUS_SO libmodbus.so.5 PATHS /usr/lib /usr/local/lib
    PATH_SUFFIXES ${CMAKE_LIBRARY_ARCHITECTURE})
if(MODBUS_SO)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/runtime/connect/modbus_lib.c PROPERTIES
      COMPILE_DEFINITIONS MODBUS_SO="${MODBUS_SO}")
endif()
# The built pages, if there are any, become one generated file (runtime/web/embed/embed.h).
set(WEB_DIST ${CMAKE_SOURCE_DIR}/runtime/web/dist)
file(GLOB_RECURSE web_pages CONFIGURE_DEPENDS ${WEB_DIST}/*)
add_custom_command(OUTPUT ${GEN}/web_files.c
    COMMAND ${CMAKE_SOURCE_DIR}/runtime/web/embed/embed.sh ${WEB_DIST} ${GEN}
    DEPENDS ${CMAKE_SOURCE_DIR}/runtime/web/embed/embed.sh ${web_pages})
tutti_library(web_embed FOLDERS runtime/web/embed DEPENDS base)
target_sources(web_embed PRIVATE ${GEN}/web_files.c)
set_source_files_properties(${GEN}/web_files.c PROPERTIES COMPILE_OPTIONS "${GENERATED_WARNINGS}")
static_part(LIB_Z libz.a)
tutti_library(module FOLDERS runtime/module DEPENDS bus store http mqtt web_embed ${LIB_Z})
# Every folder under runtime/modules is one module; a new one appears here by itself.
tutti_library(modules FOLDERS runtime/modules runtime/modules/* DEPENDS module connect flow ask deliver series alarm sparkplug ${LIB_CJOSE}
    ${LIB_JANSSON} ${LIB_CRYPTO} ${LIB_SODIUM} ${CMAKE_DL_LIBS})
tutti_library(flow FOLDERS runtime/flow DEPENDS base ${CMAKE_DL_LIBS})
tutti_library(peer FOLDERS runtime/peer DEPENDS base ${CMAKE_DL_LIBS})
tutti_library(deliver FOLDERS runtime/deliver DEPENDS flow store peer)
tutti_library(ask FOLDERS runtime/ask DEPENDS flow store peer series)
tutti_library(alarm FOLDERS runtime/alarm DEPENDS base)
tutti_library(sparkplug FOLDERS runtime/sparkplug DEPENDS flow)
tutti_library(series FOLDERS runtime/series DEPENDS store peer)
if(NOT TUTTI_SANITIZE)
  target_compile_options(series PRIVATE -O3) # bit packing is made of such loops
endif()
if(NOT TUTTI_SANITIZE)
  target_compile_options(flow PRIVATE -O3) # gcc 12 does not vectorise such loops below -O3
endif()
